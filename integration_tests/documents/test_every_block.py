"""Every block of commands in the documents is run by a test, or says what it needs.

So that none slips through: each block names its language, and commands stand in no other form.
"""

import re
from pathlib import Path
from typing import Final

from integration_tests.documents.blocks import ROOT, blocks, documents

COMMANDS: Final = "sh"
OTHERS: Final = {"csv", "json", "python", "sql", "text", "yaml"}
# Who runs the blocks below a heading: a test here, which takes them by document and heading.
RUN: Final = {
    ("docs/streaming-deployment.md", "1. ClickHouse"): "test_streaming_guide.py",
    ("docs/streaming-deployment.md", "2. Kafka on Confluent Cloud"): "test_streaming_guide.py",
    ("docs/streaming-deployment.md", "3. AWS"): "test_streaming_guide.py",
    ("docs/operations.md", "GapsRecorded"): "test_streaming_guide.py",
    ("docs/operations.md", "SubscriptionsRefused"): "test_streaming_guide.py",
    ("docs/operations.md", "HealNotStarted"): "test_streaming_guide.py",
    ("docs/connector.md", "From the command line"): "test_commands.py",
    ("docs/deployment.md", "Set it up"): "test_commands.py",
    ("docs/orchestration.md", "Run it"): "test_commands.py",
    ("docs/streaming.md", "Settings"): "test_commands.py",
    ("sandbox/README.md", "polygon-sandbox"): "test_commands.py",
    ("sandbox/README.md", "Streaming"): "test_commands.py",
}
# Commands that take minutes, and where they are run: a file, and the words in it that run them.
ELSEWHERE: Final = {
    "make install": ("Makefile", "\nstyle: $(INSTALLED)"),
    "make check": (".ci/run", "for verb in check "),
    "make demo": (".ci/run", "for verb in check docs test demo "),
    "make demo-stream": ("Makefile", "\n\t@$(BIN)/polygon-sandbox demo-stream\n"),  # by make demo
    "make test": (".ci/run", "for verb in check docs test "),
    "make test-kafka": (".ci/run", " test-kafka "),
    "cd examples/dbt && ../../.venv/bin/dbt build --profiles-dir .": (
        "integration_tests/examples/test_dbt.py",
        '_dbt(tmp_path, landed, "build")',
    ),
    "make orchestrate": ("unit_tests/orchestration/test_browser.py", '"polygon-orchestrate"'),
}


def test_every_block_is_run_or_says_what_it_needs() -> None:
    open_ones = []
    for document in documents():
        for block in blocks(document):
            assert block.language in OTHERS | {COMMANDS}, f"{block}: of what language?"
            if block.language != COMMANDS or block.needs:
                continue
            if (document, block.heading) in RUN or set(block.commands) <= set(ELSEWHERE):
                continue
            open_ones.append(str(block))
    assert open_ones == [], "run it in a test of this folder, or let it begin with `# needs ...`"


def test_who_runs_a_block_knows_it() -> None:
    for (document, heading), test in RUN.items():
        headings = {block.heading for block in blocks(document) if block.language == COMMANDS}
        assert heading in headings, (document, heading)
        text = (Path(__file__).parent / test).read_text()
        assert f'"{document}"' in text
        assert f'"{heading}"' in text
    for file, words in ELSEWHERE.values():
        assert words in (ROOT / file).read_text()


def test_no_commands_stand_outside_of_a_block() -> None:
    command = re.compile(
        r"^ {4,}(\$ |make |pip |python |docker |aws |\.venv/|polygon-|source-polygon )"
    )
    for document in documents():
        fenced = False
        for number, line in enumerate((ROOT / document).read_text().splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            assert fenced or not command.match(line), f"{document}:{number}"


def test_a_need_is_words_that_a_reader_can_act_on() -> None:
    needs = {b.needs for d in documents() for b in blocks(d) if b.language == COMMANDS and b.needs}
    thing = re.compile(r"\b(accounts?|key|Docker|Kafka|Connect worker|Java|stage|OpenAPI file)\b")
    assert [need for need in needs if not thing.search(need)] == []
