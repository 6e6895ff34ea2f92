"""Why a deployment says no.

DeploymentError
├── DeploymentRefused   the deployment, as it is now, does not allow what was asked
└── DeploymentUnknown   there is none of this id, or it was deleted
"""

from uuid import UUID


class DeploymentError(Exception):
    """Root of every refusal that a caller can act on."""


class DeploymentRefused(DeploymentError):
    """`intent` is the requested verb; `reason` says, for people, why it is impossible now."""

    def __init__(self, intent: str, reason: str) -> None:
        super().__init__(f"cannot {intent}: {reason}")
        self.intent = intent
        self.reason = reason


class DeploymentUnknown(DeploymentError):
    def __init__(self, deployment_id: UUID) -> None:
        super().__init__(f"no deployment {deployment_id}")
        self.deployment_id = deployment_id
