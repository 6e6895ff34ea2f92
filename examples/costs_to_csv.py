"""What servers and machine images have cost in the last thirty days, by day and organisation, as CSV."""

import csv
import json
import os
import sys
from urllib.request import Request, urlopen

request = Request(
    os.environ["COLDSTART_API_URL"] + "/costs", headers={"Authorization": f"Bearer {os.environ['COLDSTART_API_KEY']}"}
)
with urlopen(request, timeout=30) as answer:
    costs = json.load(answer)

table = csv.DictWriter(
    sys.stdout, ["day", "organization_id", "cost", "machine_images", "currency"], extrasaction="ignore"
)
table.writeheader()
table.writerows(costs["items"])
if costs["unpriced"]:
    print(f"{costs['unpriced']} instances are missing: their price is not known", file=sys.stderr)
