"""What the codes of failed and delayed instances mean, and what to do: docs/troubleshooting.md is drawn from it.

Why a worker ended is in `services/health/worker_causes.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ExplainedCode:
    """A sentence each, for people."""

    means: str
    advice: str


CODES: Final[Mapping[str, ExplainedCode]] = {
    "bad_answer": ExplainedCode(
        "The answer is not that of the provider's API.", "Check the setting with the API's URL, and any proxy between."
    ),
    "certificate_untrusted": ExplainedCode(
        "The machine does not trust the certificate of a proxy, registry or mirror.",
        "Name a file with the certificates of your site's authorities in COLDSTART_MACHINE_CA_FILE; if the message "
        "says that a certificate has expired, renew it.",
    ),
    "cloud_error": ExplainedCode("The provider's API failed.", "If it persists, look at the provider's status page."),
    "cloud_unavailable": ExplainedCode(
        "The provider's API is down or overloaded.", "If it persists, look at the provider's status page."
    ),
    "cloud_unreachable": ExplainedCode(
        "The provider's API cannot be reached.", "Check the network, any proxy, and the setting with the API's URL."
    ),
    "host_key_mismatch": ExplainedCode(
        "Whoever answers at the machine's address has another host key; nothing was sent to it.",
        "Launch again. On a machine of your own, correct `host_key` in the file of machines.",
    ),
    "image_not_found": ExplainedCode(
        "The zone does not have the system image for this type.", "Check the setting that names the system image."
    ),
    "install_failed": ExplainedCode(
        "The install failed on the machine.",
        "Read `coldstart instances logs NAME`, and correct what its last lines name.",
    ),
    "install_interrupted": ExplainedCode(
        "The install ended without a result, for example because the machine restarted.", "Wait: it is tried again."
    ),
    "install_still_running": ExplainedCode(
        "An earlier install on the machine has not ended yet.", "Wait; if it persists, restart the machine."
    ),
    "install_superseded": ExplainedCode(
        "The machine has a later install than this one.", "Wait: the later one goes on."
    ),
    "install_timed_out": ExplainedCode(
        "The install did not end within its limit.",
        "Read `coldstart instances logs NAME`; if it only needs longer, raise COLDSTART_STARTUP_SECONDS.",
    ),
    "invalid_credentials": ExplainedCode(
        "The provider does not accept the API key.",
        "Check the settings with the key, and whether the key has expired.",
    ),
    "invalid_request": ExplainedCode("The provider rejects the request as invalid.", "Correct what the message names."),
    "key_refused": ExplainedCode(
        "The machine does not let our SSH key in.",
        "Add the key that `coldstart ssh-key` prints to root's authorized_keys, or choose another system image.",
    ),
    "machine_failed": ExplainedCode(
        "A machine of your own did not do what it was asked.", "Read the message, and look at that machine."
    ),
    "machine_images_not_listed": ExplainedCode(
        "The provider did not list its machine images, so the launch does not know yet from which it boots.",
        "It tries again, and at last boots from the plain image. If it persists, look at the provider's status page.",
    ),
    "machine_image_failed": ExplainedCode(
        "The provider could not make an image of a machine.",
        "It is made again. If it persists, look at the provider's status page.",
    ),
    "machine_unreachable": ExplainedCode(
        "The machine cannot be reached over SSH.",
        "Check whether it runs, and whether firewalls let the control plane reach its SSH port.",
    ),
    "machines_file_invalid": ExplainedCode(
        "The file of your own machines cannot be read.", "Correct that file, as the message says."
    ),
    "no_disk_room": ExplainedCode(
        "The machine's disk has no room for the image or the model.",
        "Choose a larger volume (volume_gb) or a smaller model, or free some space on a machine of your own.",
    ),
    "not_capable": ExplainedCode(
        "The provider cannot do this for a machine.", "Do it on the machine yourself, as the message says."
    ),
    "no_machine_images": ExplainedCode(
        "The provider stores no machine images.",
        "Build them with a provider that does (docs/machine-images.md).",
    ),
    "nothing_offered": ExplainedCode(
        "No type that is offered fits the request.", "Allow more types or zones, or a higher price."
    ),
    "out_of_stock": ExplainedCode(
        "No machine of the wanted types is free in the wanted zones.", "Name more zones or types, or launch later."
    ),
    "permission_denied": ExplainedCode(
        "The provider's API key lacks a permission.",
        "Add the permissions that `coldstart doctor` names.",
    ),
    "proxy_refused": ExplainedCode(
        "The machine's proxy refused a connection.",
        "Allow the address there, correct COLDSTART_MACHINE_HTTP_PROXY and COLDSTART_MACHINE_HTTPS_PROXY (with a user "
        "and password, if it wants a login), or name the host in COLDSTART_MACHINE_NO_PROXY.",
    ),
    "proxy_unreachable": ExplainedCode(
        "The machine does not reach its proxy, or the proxy does not reach the address.",
        "Check that the proxy runs and that the machine reaches it, or correct COLDSTART_MACHINE_HTTP_PROXY and "
        "COLDSTART_MACHINE_HTTPS_PROXY.",
    ),
    "quota_exceeded": ExplainedCode(
        "A quota of your organisation at the provider is used up.",
        "Raise it in the provider's console, or end other instances.",
    ),
    "rate_limited": ExplainedCode("The provider limits our requests.", "Wait; if it persists, launch fewer at once."),
    "registry_refused": ExplainedCode(
        "The registry refused the image or the login.",
        "Check the image's name, COLDSTART_REGISTRY_MIRROR, and the login in COLDSTART_REGISTRY_USER and "
        "COLDSTART_REGISTRY_PASSWORD.",
    ),
    "registry_unreachable": ExplainedCode(
        "The machine does not reach the registry.",
        "Check the machine's network and the registry's status; if the message names a mirror, check "
        "COLDSTART_REGISTRY_MIRROR.",
    ),
    "resource_in_use": ExplainedCode(
        "Something still uses what is to be deleted.", "If it persists, find out in the provider's console what it is."
    ),
    "resource_locked": ExplainedCode("The provider has locked the resource.", "Ask the provider's support why."),
    "resource_protected": ExplainedCode(
        "Somebody has protected the resource.", "Remove the protection in the provider's console."
    ),
    "server_lost": ExplainedCode("The server no longer exists at the provider.", "Launch another in its place."),
    "server_missing": ExplainedCode(
        "The provider does not know the server.", "Check in the provider's console whether somebody has deleted it."
    ),
    "server_off": ExplainedCode(
        "The server went off again before it had an address.", "Check in the provider's console who stopped it."
    ),
    "server_still_on": ExplainedCode("The server does not stop.", "If it persists, stop it in the provider's console."),
    "server_stopped": ExplainedCode(
        "Somebody stopped the server at the provider during the launch, and nobody started it again.", "Launch again."
    ),
    "startup_timeout": ExplainedCode(
        "The worker was not ready within the startup limit.",
        "Read `coldstart instances logs NAME --worker`; if it only needs longer, raise COLDSTART_STARTUP_SECONDS.",
    ),
    "timed_out": ExplainedCode(
        "The provider did not answer, or did not finish, in time.", "Check the network and the provider's status."
    ),
    "transient_state": ExplainedCode(
        "The resource is changing.", "Wait; if it persists, look at it in the provider's console."
    ),
    "unavailable_too_long": ExplainedCode(
        "The worker served, and then did not answer for longer than its limit.",
        "Read `coldstart instances logs NAME --worker`, and launch another in its place.",
    ),
    "unexpected": ExplainedCode(
        "An error that nobody foresaw; it is in the provisioner's log.", "If it persists, report it with that log."
    ),
    "unknown_instance_type": ExplainedCode(
        "The zone does not sell this type.", "Choose one that `coldstart instance-types` lists."
    ),
    "unknown_provider": ExplainedCode(
        "The instance's provider is not configured in this provisioner.", "Configure it again, or name another one."
    ),
    "unknown_zone": ExplainedCode("The zone is not used here.", "Choose one of those that the message names."),
    "volume_cannot_grow": ExplainedCode(
        "The server's boot volume cannot be grown.", "Choose another type or another system image."
    ),
    "volume_still_attached": ExplainedCode(
        "A volume is still attached to its server.", "If it persists, look at it in the provider's console."
    ),
    "waiting": ExplainedCode(
        "The install waits for something that passes by itself; the message says for what.", "Wait."
    ),
    "weights_differ": ExplainedCode(
        "A file of the model is not what the hub's list says, each time that it is fetched.",
        "Check the mirror of Hugging Face (HF_ENDPOINT) or of weights, and any proxy between.",
    ),
    "weights_not_listed": ExplainedCode(
        "The hub gives no list of the model's files, which a machine image is to have.",
        "Check whether Hugging Face or your mirror is up, and whether it has the model; or build an image without it.",
    ),
    "weights_refused": ExplainedCode(
        "The machine may not fetch a file of the model.",
        "If the model is gated, ask for access on its page at Hugging Face and set HF_TOKEN; an image of your own gets "
        "the token once it is in COLDSTART_ALLOWED_IMAGES.",
    ),
    "weights_unreachable": ExplainedCode(
        "The machine does not get the model's files.",
        "Check the machine's network, any proxy, and whether Hugging Face or your mirror is up.",
    ),
    "wrong_state": ExplainedCode(
        "The resource is in the wrong state.", "If it persists, look at it in the provider's console."
    ),
}
