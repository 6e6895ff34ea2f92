"""The limits of the machine's link, as command lines of tc."""

from real_line.bandwidth import limits


def test_each_port_has_its_rate_and_a_filter_that_leads_to_it() -> None:
    words = [" ".join(command) for command in limits({8090: 3_000_000, 5000: 8_000_000})]
    assert words[0].endswith("root handle 1: htb")
    assert [line.partition("classid ")[2] for line in words if " class " in line] == [
        "1:1 htb rate 24000000bit burst 256kb",
        "1:2 htb rate 64000000bit burst 256kb",
    ]
    assert [line.partition("sport ")[2] for line in words if " filter " in line] == [
        "8090 0xffff flowid 1:1",
        "5000 0xffff flowid 1:2",
    ]
