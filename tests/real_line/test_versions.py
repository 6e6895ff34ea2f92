"""The versions of vLLM that `make real` can run."""

from real_line.clients import Chat
from real_line.versions import DEFAULT, VERSIONS
from services.provisioner.settings import ProvisionerSettings


def test_the_default_is_what_the_product_launches() -> None:
    launched = ProvisionerSettings.model_fields["vllm_image"].default
    assert VERSIONS[DEFAULT].image == launched
    assert VERSIONS[DEFAULT].tags == ("v0.32.0", "v0.32.0-cu129")


def test_what_a_version_leaves_out_is_a_check() -> None:
    named = {what for version in VERSIONS.values() for what, _ in version.left_out}
    assert named <= set(Chat("http://127.0.0.1", "a-key").checks())
