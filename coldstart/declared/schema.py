"""The JSON schema of a declaration, made from the models. `python -m` this prints docs/coldstart-apply-schema.json.

https://json-schema.org/draft/2020-12
"""

import json
import sys
from typing import Any

from coldstart.declared.kinds import ADAPTER, IN_ORDER


def schema() -> dict[str, Any]:
    """A document of a file: a declaration, or a list of them."""
    made = ADAPTER.json_schema(ref_template="#/$defs/{model}")
    defined = made["$defs"]
    for kind in IN_ORDER.values():
        named = defined[kind.__name__]
        named["required"] = ["kind", *(field for field in named["required"] if field != "kind")]
    one = {"oneOf": made["oneOf"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `coldstart apply` takes",
        "anyOf": [one, {"type": "array", "items": one}],
        "$defs": defined,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n")
