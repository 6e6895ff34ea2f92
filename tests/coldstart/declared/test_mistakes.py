"""A wrong input in any field is a sentence with the file, the line and the field, and nothing is done."""

import json
import re
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

from coldstart.declared.files import STDIN, DeclarationsInvalid, declarations
from coldstart.declared.schema import schema
from services.api.control.forms import FORMS

DEPLOYMENT = "kind: Deployment\nname: chat\nmodel: a/b\n"
ORGANIZATION = "kind: Organization\nslug: acme\n"
KEY = "kind: KeyLimits\nname: mine\n"
OFFERING = "kind: Offering\norganization: acme\ncode: chat\nmodel: a/b\n"
LETTERS = "may have letters, digits, dots, dashes and underscores only, and has to begin with a letter or digit."
TEXT = "cannot stand here: write text; in quotes if it looks like a number."
KINDS = "Organization, Model, Offering, KeyLimits, Deployment"


def mistakes(text: str) -> list[str]:
    with pytest.raises(DeclarationsInvalid) as refused:
        declarations([STDIN], StringIO(text))
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: [1\nb: }\n", 2, "it is not YAML: expected ',' or ']', but got ':'. Write `field: value` lines"),
        ("\tkind: x", 1, "it is not YAML: found character '\\t' that cannot start any token."),
        ("kind: *x", 1, "it is not YAML: found undefined alias 'x'."),
        ("kind: Model\nmodel: \x01\n", 2, "it has a character that YAML does not allow"),
        ("[" * 3000, 1, "it is nested too deeply to be a declaration."),
        ("&a [*a]", 1, "this part contains itself. Write it out instead of the alias."),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in pairwise("abcdefghi")
            ),
            5,
            "this is more than 100,000 values. Declare less at once.",
        ),
        ("kind: !mine Model", 1, "'Model' is no !mine. Remove the tag."),
        ("kind: !!int Model", 1, "'Model' is no tag:yaml.org,2002:int. Remove the tag."),
        ("!mine {kind: Model}", 1, "the tag !mine means nothing here. Remove it."),
        ("? [a]\n: b", 1, "the name of a field has to be a word."),
        ('kind: KeyLimits\nname: "\\ud83d"', 2, "a text has half a character (a lone surrogate). Remove it."),
        (ORGANIZATION + "slug: other\n", 3, "slug is there twice, also in line 2. Remove one."),
        ("words", 1, f"it is no declaration. Write fields, beginning with `kind:` and one of: {KINDS}."),
        ("- [a]", 1, f"it is no declaration. Write fields, beginning with `kind:` and one of: {KINDS}."),
        ("slug: acme", 1, f"it has no kind. Begin it with one of: {KINDS}."),
        ("\nkind: Deploiment", 2, f"there is no kind 'Deploiment'. Did you mean Deployment? Kinds are {KINDS}."),
        ("kind: 3", 1, f"there is no kind '3'. Kinds are {KINDS}."),
        ("", 1, "nothing is declared there. Write documents with a `kind`."),
    ],
)
def test_a_text_that_declares_nothing_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    (mistake,) = mistakes(text)
    where = "standard input: " if not text else f"standard input:{line}: "
    assert mistake.startswith(where + said)


@pytest.mark.parametrize(
    ("declared", "wrong", "said"),
    [
        (DEPLOYMENT, "min_replica: 1", "there is no such field. Did you mean min_replicas?"),
        (KEY, "foo: 1", "there is no such field. Fields are requests_per_minute, tokens_per_minute"),
        (DEPLOYMENT, "organization: Acme", "'Acme' may have lower-case letters, digits and dashes only"),
        (DEPLOYMENT, "task: chat", "'chat' is not known. Write generate or embed."),
        (DEPLOYMENT, "provider: a b", f"'a b' {LETTERS}"),
        (DEPLOYMENT, "zones: fr-par-2", "'fr-par-2' cannot stand here: write a list, e.g. [a, b]."),
        (DEPLOYMENT, "instance_types: L4", "'L4' cannot stand here: write a list, e.g. [a, b]."),
        (DEPLOYMENT, "volume_gb: 100", "100 cannot stand here: write 150 or more."),
        (DEPLOYMENT, "volume_gb: 20000", "20000 cannot stand here: write 10000 or less."),
        (DEPLOYMENT, "volume_gb: 010", "'010' cannot stand here: write a whole number."),
        (DEPLOYMENT, "image: 3", f"3 {TEXT}"),
        (DEPLOYMENT, "revision: 1234567", f"1234567 {TEXT}"),
        (DEPLOYMENT, "vllm_args: --enforce-eager", "'--enforce-eager' cannot stand here: write a list, e.g. [a, b]."),
        (DEPLOYMENT, "min_replicas: -1", "-1 cannot stand here: write 0 or more."),
        (DEPLOYMENT, "min_replicas: 2", "min_replicas (2) is above max_replicas (1). Lower it, or raise max_replicas."),
        (DEPLOYMENT, "max_replicas: 1.5", "1.5 cannot stand here: write a whole number."),
        (DEPLOYMENT, "max_replicas: yes", "'yes' cannot stand here: write a whole number."),
        (DEPLOYMENT, "max_replicas: 2000", "2000 cannot stand here: write 200 or less."),
        (DEPLOYMENT, "target_in_flight: 0", "0 cannot stand here: write 0.01 or more."),
        (DEPLOYMENT, "target_in_flight: many", "'many' cannot stand here: write a number."),
        (DEPLOYMENT, "scale_down_after: -5", "-5 cannot stand here: write 0 or more."),
        (DEPLOYMENT, "scale_to_zero_after: 15m", "'15m' cannot stand here: write a whole number."),
        (DEPLOYMENT, "hold: 99999999", "99999999 cannot stand here: write 31536000 or less."),
        (DEPLOYMENT, "schedule: daily", "'daily' cannot stand here: write a list, e.g. [a, b]."),
        (DEPLOYMENT, "fallback: ''", "'' cannot stand here: write at least 1 character."),
        (DEPLOYMENT, "rollout: slow", "'slow' cannot stand here: write fields below it, each on a line."),
        (ORGANIZATION, "name: ''", "'' cannot stand here: write at least 1 character."),
        (ORGANIZATION, 'name: "a\\u202eb"', "has to be one line of visible characters."),
        (ORGANIZATION, "max_instances: -1", "-1 cannot stand here: write 0 or more."),
        (ORGANIZATION, "spend_per_hour: free", "'free' cannot stand here: write a number."),
        (ORGANIZATION, "spend_per_month: .inf", "'.inf' cannot stand here: write a number."),
        (ORGANIZATION, "at_limit: stop", "'stop' is not known. Write warn or drain."),
        (ORGANIZATION, "insist: 1", "1 cannot stand here: write true or false."),
        (OFFERING, "active: on", "'on' cannot stand here: write true or false."),
        (KEY, "requests_per_minute: 0", "0 cannot stand here: write a number above 0."),
        (KEY, "tokens_per_minute: 9999999999", "9999999999 cannot stand here: write 2147483647 or less."),
        (KEY, "max_concurrent: two", "'two' cannot stand here: write a whole number."),
        (KEY, "allowed_models: []", "[] cannot stand here: name at least 1, or leave the field out."),
        ("kind: Model\nmodel: a/b\n", "trust_remote_code: yes", "'yes' cannot stand here: write true or false."),
    ],
)
def test_a_wrong_field_is_named_with_its_line_and_what_to_do(declared: str, wrong: str, said: str) -> None:
    (mistake,) = mistakes(f"# a comment\n{declared}{wrong}\n")
    line, field = 2 + declared.count("\n"), wrong.partition(":")[0]
    assert mistake.startswith(f"standard input:{line}: ")
    assert f": {field}: " in mistake
    assert said in mistake


def test_a_mistake_in_a_part_is_told_at_the_line_of_the_part() -> None:
    text = f"{DEPLOYMENT}zones:\n  - fr-par-2\n  - 3\nschedule:\n  - cron: 0 8 * * *\n    min_replicas: 3\n"
    told = mistakes(f"{text}    max_replicas: 2\n    zone: x\nrollout:\n  surge: 0\n")
    assert told == [
        f"standard input:6: deployment chat: zones.1: 3 {TEXT}",
        "standard input:11: deployment chat: schedule.0.zone: there is no such field. Did you mean time_zone?",
        "standard input:13: deployment chat: rollout.surge: 0 cannot stand here: write 1 or more.",
    ]
    (mistake,) = mistakes(f"{text}    max_replicas: 2\n".replace("- 3", "- x"))
    assert "standard input:9: deployment chat: schedule.0.min_replicas: min_replicas (3) is above" in mistake


def test_what_is_missing_is_told_at_the_declaration() -> None:
    assert mistakes("\nkind: Deployment\nname: chat\n") == [
        "standard input:2: deployment chat: model: it is missing. Add it."
    ]
    assert mistakes("kind: Model\n") == ["standard input:1: model: model: it is missing. Add it."]


def test_a_maximum_below_the_default_minimum_of_a_schedule_names_both() -> None:
    (mistake,) = mistakes(f"{DEPLOYMENT}max_replicas: 1\nmin_replicas: 2\n")
    assert mistake.startswith("standard input:5: deployment chat: min_replicas: ")


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(f"{ORGANIZATION}---\n{DEPLOYMENT}volume_gb: 1\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yml").write_text(ORGANIZATION)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "c.yaml").write_text("not: read")
    (tmp_path / "d.yaml").write_bytes(b"kind: Organization\nslug: \xff\n")
    (tmp_path / "notes.txt").write_text("not read")
    with pytest.raises(DeclarationsInvalid) as refused:
        declarations([tmp_path, tmp_path / "none.yaml", tmp_path / ".git" / "none"], StringIO())
    assert str(refused.value).splitlines() == [
        f"{tmp_path}/b.yaml:7: deployment chat: volume_gb: 1 cannot stand here: write 150 or more.",
        f"{tmp_path}/d.yaml: byte 26 is not UTF-8. Save the file as UTF-8.",
        f"{tmp_path}/none.yaml: it cannot be read: No such file or directory.",
        f"{tmp_path}/.git/none: it cannot be read: No such file or directory.",
        f"{tmp_path}/below/a.yml:1: organisation acme: it is declared twice, also at {tmp_path}/b.yaml:1. Remove one.",
    ]


def test_a_folder_without_such_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationsInvalid, match=r"no file there ends in \.yaml or \.yml\.$"):
        declarations([tmp_path], StringIO())


def test_a_name_of_another_organisation_is_another_name() -> None:
    text = f"{DEPLOYMENT}---\n{DEPLOYMENT}organization: acme\n---\n{KEY}---\n{KEY}organization: acme\n"
    assert len(declarations([STDIN], StringIO(text))) == 4


def test_one_document_may_hold_several_and_an_empty_one_none() -> None:
    text = "---\n---\n# nothing\n---\n[{kind: Model, model: a/b}, {kind: Model, model: c/d}]\n"
    assert [one.what.title for one in declarations([STDIN], StringIO(text))] == ["model a/b", "model c/d"]


def test_every_form_of_a_text_is_said_in_words() -> None:
    patterns = set(re.findall(r'"pattern": ("(?:[^"\\\\]|\\\\.)*")', json.dumps(schema())))
    assert {json.loads(pattern) for pattern in patterns} <= FORMS.keys()
    assert len(patterns) > 5
