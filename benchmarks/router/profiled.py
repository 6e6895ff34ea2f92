"""The api service under cProfile; what was measured goes to the file that PROFILE_TO names, when it stops."""

import cProfile
import os
import time

from services.api.__main__ import main

if __name__ == "__main__":
    profile = cProfile.Profile(time.process_time)  # not what others did meanwhile
    try:
        profile.runcall(main)
    finally:
        profile.dump_stats(os.environ["PROFILE_TO"])
