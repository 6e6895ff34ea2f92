"""Which files of a repository a machine fetches."""

import pytest

from services.provisioner.weights.selection import in_two_formats, read_by_vllm, read_from_files


def test_safetensors_are_read_with_what_configures_the_model_and_nothing_twice() -> None:
    read = ("config.json", "merges.txt", "model.safetensors", "tokenizer.json", "tokenizer.model.v3", "chat.jinja")
    left = (
        *("README.md", ".gitattributes", "pytorch_model.bin", "model.gguf", "tf_model.h5", "flax_model.msgpack"),
        *("original/consolidated.00.pth", "original/params.json", "onnx/model.onnx", "onnx/config.json"),
        *("consolidated.safetensors", "training_args.bin", "vocab.pt"),
    )
    assert read_by_vllm((*left, *read)) == tuple(sorted(read))


@pytest.mark.parametrize("only", ["pytorch_model.bin", "model.pt", "consolidated.safetensors"])
def test_other_weights_are_read_where_there_is_nothing_better(only: str) -> None:
    assert read_by_vllm(("params.json", only, "training_args.bin")) == tuple(sorted((only, "params.json")))


def test_folders_have_weights_of_their_own() -> None:
    paths = ("2_Dense/pytorch_model.bin", "2_Dense/config.json", "a.bin", "model.safetensors", "z.bin")
    assert read_by_vllm(paths) == ("2_Dense/config.json", "2_Dense/pytorch_model.bin", "model.safetensors")


@pytest.mark.parametrize("paths", [("config.json", "model.gguf"), ("config.json", "unet/model.safetensors"), ()])
def test_without_weights_that_vllm_finds_there_is_no_list(paths: tuple[str, ...]) -> None:
    assert read_by_vllm(paths) == ()


@pytest.mark.parametrize("wrong", ["../config.json", "/etc/config.json", "a/../b.json", "a\nb.json", "a//b.json", ""])
def test_a_path_that_leads_out_of_the_repository_or_is_no_line_makes_the_list_worthless(wrong: str) -> None:
    assert read_by_vllm(("model.safetensors", wrong)) == ()


def test_weights_in_two_formats_are_noticed() -> None:
    assert in_two_formats(("consolidated.safetensors", "model.safetensors"))
    assert not in_two_formats(("consolidated.safetensors", "params.json"))
    assert not in_two_formats(("model.safetensors", "original/consolidated.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "from_files"),
    [
        ((), True),
        (("--load-format", "auto", "--dtype", "half"), True),
        (("--load-format=safetensors",), True),
        (("--load-format", "runai_streamer"), False),
        (("--load-format=tensorizer",), False),
        (("--load-format=auto", "--load-format", "dummy"), False),
    ],
)
def test_other_loaders_fetch_the_model_their_own_way(arguments: tuple[str, ...], from_files: bool) -> None:
    assert read_from_files(arguments) is from_files
