"""A benchmark that misses its goal says which, and fails."""

from benchmarks.fleet import missed


def test_the_fleet_is_measured_against_its_time_and_its_memory() -> None:
    assert missed(launching_s=89.0, memory_mb=299.0) == []
    assert missed(launching_s=90.0, memory_mb=299.0) == ["all ready or failed in under 90 s"]
    assert missed(launching_s=89.0, memory_mb=300.0) == ["the provisioner under 300 MB"]
