"""Asks llama.cpp itself how its templates render and how answers in their notations are to be read.

    python -m tests.helpers.template_oracles LLAMA_CPP BUILD MODEL

LLAMA_CPP is its source, BUILD a CMake build of it with shared libraries and llama-server, MODEL any GGUF. It
writes tests/data/templates: the templates, `parsing.json` and `rendering.json`. What is there was made from
the source distribution of llama-cpp-python 0.3.36 (llama.cpp 0c1e57098).

The cases of `parsing.json` are those of llama.cpp's own tests/test-chat.cpp. They are C++, so the file is
compiled with one change: instead of testing a case, it prints it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "templates"
COMMIT = "0c1e57098"

_PRINT_CASE = """
    {
        using J = nlohmann::ordered_json;
        auto tc = tc_;
        if (tc.params.messages.empty()) tc.params.messages = { message_user };
        J j;
        j["template"] = tester_.template_path();
        j["line"] = line_;
        j["input"] = tc.input;
        j["is_partial"] = tc.is_partial;
        J messages = J::array();
        for (auto & m : tc.params.messages) messages.push_back(J::parse(m.to_json_oaicompat().dump()));
        j["messages"] = messages;
        j["tools"] = tc.params.tools.empty()
            ? J::array() : J::parse(common_chat_tools_to_json_oaicompat(tc.params.tools).dump());
        j["reasoning"] = common_reasoning_format_name(tc.params.reasoning_format);
        j["continue"] = (int) tc.params.continue_final_message;
        j["has_schema"] = !tc.params.json_schema.empty();
        auto parser = make_peg_parser(tester_.tmpls_.get(), tc.params, false);
        j["generation_prompt"] = parser.params_.generation_prompt;
        J calls = J::array();
        for (auto & c : tc.expect.tool_calls) {
            calls.push_back({ { "name", c.name }, { "arguments", c.arguments }, { "id", c.id } });
        }
        j["expect"] = {
            { "content", tc.expect.content },
            { "reasoning", tc.expect.reasoning_content },
            { "tool_calls", calls },
        };
        std::cout << "CASE " << j.dump() << std::endl;
    }
"""


def parsing_cases(source: Path, build: Path) -> list[dict[str, Any]]:
    """The cases of llama.cpp's test-chat.cpp, with the line that each stands in."""
    text = (source / "tests" / "test-chat.cpp").read_text()
    for old, new in (
        (
            "peg_test_builder test(const std::string & input);",
            "peg_test_builder test(const std::string & input, int line = __builtin_LINE());",
        ),
        (
            "peg_test_builder(peg_tester & tester, const std::string & input) : tester_(tester) {",
            "int line_ = 0; peg_test_builder(peg_tester & tester, const std::string & input) :"
            " tester_(tester) {",
        ),
        (
            "peg_test_builder peg_tester::test(const std::string & input) {\n"
            "    return peg_test_builder(*this, input);",
            "peg_test_builder peg_tester::test(const std::string & input, int line) {\n"
            "    peg_test_builder b(*this, input); b.line_ = line; return b;",
        ),
        (
            "        test_peg_parser(tester_.tmpls_.get(), [this](peg_test_case & t) { t = tc_; },"
            " tester_.detailed_debug_);",
            _PRINT_CASE,
        ),
    ):
        assert text.count(old) == 1, old
        # Line numbers stay those of the file.
        text = text.replace(old, new.replace("\n", " ") if new is _PRINT_CASE else new)
    text = text[: text.index("int main(int argc")] + (
        "int main() { test_template_output_peg_parsers(false); return 0; }\n"
    )
    folders = ("tests", "common", "vendor", "include", "src", "ggml/include", "tools/server", "tools/mtmd")
    libraries = ("llama-common", "llama", "ggml", "ggml-base", "llama-server-impl")
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "cases"
        code = program.with_suffix(".cpp")
        code.write_text(f'#include <nlohmann/json.hpp>\n#line 1 "test-chat.cpp"\n{text}')
        subprocess.run(
            [
                *(
                    "g++",
                    "-std=c++17",
                    "-O0",
                    "-DGGML_SHARED",
                    "-DLLAMA_SHARED",
                    str(code),
                    "-o",
                    str(program),
                ),
                *(f"-I{source / folder}" for folder in folders),
                *(f"-L{build / 'bin'}", f"-Wl,-rpath,{build / 'bin'}"),
                *(f"-l:lib{name}.so" for name in libraries),
            ],
            check=True,
        )
        printed = subprocess.run([program], cwd=source, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [
        json.loads(line.removeprefix("CASE ")) for line in printed.splitlines() if line.startswith("CASE ")
    ]


def write_parsing(cases: list[dict[str, Any]]) -> None:
    """Make `parsing.json`, one case a line, every tool once."""
    tools: list[dict[str, Any]] = []
    compact = []
    for case in cases:
        expected = {name: value for name, value in case["expect"].items() if value}
        for call in expected.get("tool_calls", ()):
            if not call["id"]:
                del call["id"]
        entry = {
            "template": Path(case["template"]).stem,
            "line": case["line"],
            "generation_prompt": case["generation_prompt"],
            "input": case["input"],
            "expect": expected,
        }
        functions = [tool["function"] for tool in case["tools"]]
        tools += [function for function in functions if function not in tools]
        if functions:
            entry["tools"] = [tools.index(function) for function in functions]
        if case["reasoning"] == "none":
            entry["splits_reasoning"] = False
        entry |= {name: True for name in ("is_partial", "has_schema") if case[name]}
        if case["continue"]:
            last = case["messages"][-1]
            entry["continues"] = {2: "reasoning", 3: "answer"}[case["continue"]]
            entry["prefix"] = {
                "reasoning": last.get("reasoning_content") or "",
                "content": last["content"] or "",
            }
        compact.append(entry)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in compact)
    functions_json = ",\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    (DATA / "parsing.json").write_text(f'{{"tools": [\n{functions_json}\n],\n"cases": [\n{lines}\n]}}\n')


# --- renderings ------------------------------------------------------------------------------------------

_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "What the weather is like.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where."},
                "days": {"type": "integer", "description": "How many."},
            },
            "required": ["city"],
        },
    },
}
_CALL = {
    "id": "call00001",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris", "days": 2}'},
}
_QUESTION = {"role": "user", "content": "Hello there, how are you?"}
_ANSWER = {"role": "assistant", "content": "Fine, thank you."}
_THOUGHT = {**_ANSWER, "reasoning_content": "They are polite."}
_AGAIN = {"role": "user", "content": "And what is the weather like?"}
_CALLED = {"role": "assistant", "content": "", "tool_calls": [_CALL]}
_RESULT = {"role": "tool", "tool_call_id": "call00001", "content": "It is sunny in Paris."}

CONVERSATIONS: dict[str, dict[str, Any]] = {
    "plain": {"messages": [_QUESTION, _ANSWER, _AGAIN]},
    "system": {"messages": [{"role": "system", "content": "Be brief."}, _QUESTION]},
    "thought": {"messages": [_QUESTION, _THOUGHT, _AGAIN]},
    "off": {"messages": [_QUESTION], "chat_template_kwargs": {"enable_thinking": False}},
    "tools": {"messages": [_AGAIN], "tools": [_TOOL]},
    "calls": {"messages": [_AGAIN, _CALLED, _RESULT], "tools": [_TOOL]},
    "called": {"messages": [_AGAIN, _CALLED, _RESULT, _ANSWER, _QUESTION], "tools": [_TOOL]},
}
"""What is rendered with every template; "thinking" is on wherever it is not off."""


def renderings(server: Path, model: Path, template: Path) -> dict[str, Any]:
    """What llama-server makes of the conversations; an error where it makes nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [server, "-m", model, "-c", "256", "--no-warmup", "--port", str(port), "--jinja"]
    process = subprocess.Popen(
        [*map(str, command), "--chat-template-file", str(template)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while _ask(f"{address}/health").get("status") != "ok":
            assert process.poll() is None, f"{template.name}: the server ended"
            time.sleep(0.1)
        found = {}
        for name, conversation in CONVERSATIONS.items():
            body = {"chat_template_kwargs": {"enable_thinking": True}, **conversation}
            told = _ask(f"{address}/apply-template", body)
            found[name] = told.get("prompt")
        return found
    finally:
        process.terminate()
        process.wait()


def _ask(url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            told: dict[str, Any] = json.loads(response.read())
            return told
    except OSError:
        return {}


def write_renderings(server: Path, model: Path) -> None:
    """Make `rendering.json`."""
    found = {template.stem: renderings(server, model, template) for template in sorted(DATA.glob("*.jinja"))}
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(made, ensure_ascii=False)}" for name, made in found.items()
    )
    conversations = json.dumps(CONVERSATIONS, ensure_ascii=False)
    (DATA / "rendering.json").write_text(
        f'{{"conversations": {conversations},\n"renderings": {{\n{lines}\n}}}}\n'
    )


def main(source: Path, build: Path, model: Path) -> None:
    """Make everything anew."""
    DATA.mkdir(parents=True, exist_ok=True)
    for template in sorted((source / "models" / "templates").glob("*.jinja")):
        shutil.copy(template, DATA)
    shutil.copy(source / "LICENSE", DATA)
    write_renderings(build / "bin" / "llama-server", model)
    write_parsing(parsing_cases(source, build))


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:4]))
