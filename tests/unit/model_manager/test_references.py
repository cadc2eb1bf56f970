"""References: the grammar, and which files each means."""

from __future__ import annotations

import pytest

from model_manager.errors import InvalidReference, NotOffered
from model_manager.references import HubReference, UrlReference, choose, label, parse
from model_manager.types import HubFile

ENDPOINT = "https://hub.example"
NAMES = (
    "README.md",
    "imatrix_unsloth.gguf",
    "mmproj-F16.gguf",
    "Big-MoE-Q3_K_S.gguf",
    "Big-MoE-Q4_K_M.gguf",
    "Big-MoE-UD-Q4_K_XL.gguf",
    "BF16/Big-MoE-BF16-00001-of-00002.gguf",
    "BF16/Big-MoE-BF16-00002-of-00002.gguf",
    "Big-MoE-mmproj-Q2_K.gguf",
    "Q8_0/Big-MoE-Q8_0-00001-of-00003.gguf",
)
FILES = tuple(HubFile(name, 1000 - len(name), "0" * 64) for name in NAMES)


def chosen(ref: str, files: tuple[HubFile, ...] = FILES) -> list[str]:
    reference = parse(ref, ENDPOINT)
    assert isinstance(reference, HubReference)
    return [file.path for file in choose(reference, files)]


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("o/r", HubReference("o/r", "o/r")),
        (" o/r:q4_k_m ", HubReference("o/r:q4_k_m", "o/r", quantization="q4_k_m")),
        ("o/r/a/b.gguf", HubReference("o/r/a/b.gguf", "o/r", path="a/b.gguf")),
        (f"{ENDPOINT}/o/r", HubReference(f"{ENDPOINT}/o/r", "o/r")),
        (
            f"{ENDPOINT}/o/r/resolve/v1/a/b%20c.gguf?download=true",
            HubReference(
                f"{ENDPOINT}/o/r/resolve/v1/a/b%20c.gguf?download=true", "o/r", "v1", path="a/b c.gguf"
            ),
        ),
        (
            f"{ENDPOINT}/o/r/blob/main/b.gguf",
            HubReference(f"{ENDPOINT}/o/r/blob/main/b.gguf", "o/r", "main", path="b.gguf"),
        ),
        (
            "https://x.example/d/m.gguf?k=1",
            UrlReference("https://x.example/d/m.gguf?k=1", "https://x.example/d/m.gguf?k=1", "m.gguf"),
        ),
    ],
)
def test_parse_reads_each_form(ref: str, expected: object) -> None:
    assert parse(ref, ENDPOINT) == expected


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "model",
        "a/b/c",
        "a b/c",
        "o/r:",
        "o/r/x.bin",
        "ftp://x.example/m.gguf",
        "https://x.example/m.zip",
        "http://x.example/m.gguf",
        "https://user:secret@x.example/m.gguf",
        "https:///m.gguf",
        "file:///etc/m.gguf",
        "https://[/m.gguf",
    ],
)
def test_parse_refuses_what_is_none(ref: str) -> None:
    with pytest.raises(InvalidReference):
        parse(ref, ENDPOINT)


def test_repository_alone_means_the_sensible_quantization() -> None:
    assert chosen("o/r") == ["Big-MoE-Q4_K_M.gguf"]


def test_repository_without_it_means_another_four_bit_one() -> None:
    assert chosen("o/r", tuple(f for f in FILES if "Q4_K_M" not in f.path)) == ["Big-MoE-UD-Q4_K_XL.gguf"]


def test_repository_without_four_bit_means_the_smallest() -> None:
    files = (
        HubFile("a-Q8_0.gguf", 8, None),
        HubFile("a-Q2_K.gguf", 2, None),
        HubFile("a-F16.gguf", 16, None),
    )
    assert chosen("o/r", files) == ["a-Q2_K.gguf"]


def test_single_model_needs_no_quantization_in_its_name() -> None:
    assert chosen("o/r", (HubFile("tiny.gguf", 1, None), HubFile("x.md", 1, None))) == ["tiny.gguf"]


def test_quantization_is_found_in_any_case_and_with_all_shards() -> None:
    assert chosen("o/r:bf16") == [NAMES[6], NAMES[7]]
    assert chosen("o/r:ud-q4_k_xl") == ["Big-MoE-UD-Q4_K_XL.gguf"]


def test_path_of_a_shard_means_the_whole_set() -> None:
    assert chosen(f"o/r/{NAMES[7]}") == [NAMES[6], NAMES[7]]


@pytest.mark.parametrize("ref", ["o/r:Q5_K_M", "o/r:Q8_0", "o/r/none.gguf", f"o/r/{NAMES[8]}"])
def test_no_match_says_what_there_is(ref: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        chosen(ref)
    assert caught.value.choices == ("BF16", "Q3_K_S", "Q4_K_M", "UD-Q4_K_XL")


@pytest.mark.parametrize("ref", ["o/r", "o/r:Q8_0", "o/r/Q8_0/Big-MoE-Q8_0-00001-of-00003.gguf"])
def test_set_with_a_hole_says_which_file_the_hub_lacks(ref: str) -> None:
    with pytest.raises(NotOffered) as caught:
        chosen(ref, FILES[-1:])
    missing = tuple(f"Q8_0/Big-MoE-Q8_0-0000{number}-of-00003.gguf" for number in (2, 3))
    assert (caught.value.missing, caught.value.choices) == (missing, ())


@pytest.mark.parametrize("ref", ["o/r:Q5_K_M", "o/r/none.gguf"])
def test_what_is_not_there_at_all_lacks_no_file(ref: str) -> None:
    with pytest.raises(NotOffered) as caught:
        chosen(ref)
    assert caught.value.missing == ()


def test_several_matches_are_named() -> None:
    files = (HubFile("a-Q8_0.gguf", 8, None), HubFile("b-Q8_0.gguf", 8, None))
    with pytest.raises(InvalidReference) as caught:
        chosen("o/r:Q8_0", files)
    assert caught.value.choices == ("a-Q8_0.gguf", "b-Q8_0.gguf")


def test_repository_without_models_means_nothing() -> None:
    with pytest.raises(InvalidReference):
        chosen("o/r", (HubFile("model.safetensors", 1, None),))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Qwen3-30B-A3B-Q4_K_M.gguf", "Q4_K_M"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("IQ2_XXS/m-IQ2_XXS-00001-of-00002.gguf", "IQ2_XXS"),
        ("UD-IQ1_S/model.gguf", "UD-IQ1_S"),
        ("plain.gguf", "plain"),
    ],
)
def test_label_is_what_a_person_would_say(path: str, expected: str) -> None:
    assert label(path) == expected
