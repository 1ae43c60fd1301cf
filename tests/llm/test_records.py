import json

import pytest

from portia_nb.errors import InvalidConfigError, NoModelKey, RecordDrift, StoreUnwritable
from portia_nb.llm.matching import Matches
from portia_nb.llm.recorder import Recorder
from portia_nb.llm.records import Record
from portia_nb.llm.replay import PlayingModel, RecordingModel
from portia_nb.llm.scripted import ScriptedModel, shipped_records
from portia_nb.model.language import LanguageModel
from tests.llm.asking import ask, ask_for_call, ask_for_point
from tests.servers.openai_server import OpenAIServer

PLANNING = {"purpose": "planning", "record_key": ("planner@1", "Where is Oslo?", "search_tool")}


async def recorded(model_of, path, *requests, secrets=()):
    record = Record(about="a test")
    replies = {"Where?": "Oslo", "Why?": "Because"}

    def answer(request):
        wanted = request.body.get("response_format") or request.body.get("tool_choice")
        return {"x": 3, "note": None} if wanted else replies[request.messages[-1]["content"]]

    with OpenAIServer(answer) as server:
        model = RecordingModel(model_of(server), record)
        for request in requests:
            await model.reply(request)
    record.save(path, secrets)
    return Record.load(path)


async def test_what_was_recorded_plays_again_without_a_server(model_of, tmp_path):
    requests = (ask(), ask(text="Why?"), ask_for_point(), ask_for_call())
    record = await recorded(model_of, tmp_path / "record.json", *requests)
    pieces = []
    model = PlayingModel(record)
    assert isinstance(model, LanguageModel)
    replies = [await model.reply(request, on_text=pieces.append) for request in requests]
    assert [reply.text for reply in replies[:2]] == pieces == ["Oslo", "Because"]
    assert replies[2].data == {"x": 3}
    assert replies[3].tool_calls[0].arguments == {"x": 3}
    assert {reply.model for reply in replies} == {"openai/gpt-4.1"}
    assert all(reply.usage.calls == 0 for reply in replies)


async def test_another_prompt_is_drift_and_the_difference_is_shown(model_of, tmp_path):
    record = await recorded(model_of, tmp_path / "record.json", ask(**PLANNING))
    with pytest.raises(RecordDrift) as caught:
        await PlayingModel(record).reply(ask(text="Where now?", **PLANNING))
    said = str(caught.value)
    assert "-Where?" in said
    assert "+Where now?" in said
    assert "Record again" in said
    assert "Be brief" not in said


async def test_another_key_or_purpose_is_drift_and_named(model_of, tmp_path):
    record = await recorded(model_of, tmp_path / "record.json", ask(**PLANNING))
    key = {**PLANNING, "record_key": ("planner@2", "Where is Oslo?", "search_tool")}
    with pytest.raises(RecordDrift, match=r"-key: planner@1\n\+key: planner@2"):
        await PlayingModel(record).reply(ask(**key))
    with pytest.raises(RecordDrift, match="no summary call at all"):
        await PlayingModel(record).reply(ask(purpose="summary"))


async def test_a_reply_matched_by_key_stands_for_any_prompt_of_that_key(model_of, tmp_path):
    record = await recorded(model_of, tmp_path / "record.json", ask(**PLANNING))
    record.replies[0].match = "key"
    assert (await PlayingModel(record).reply(ask(text="Other words", **PLANNING))).text == "Oslo"
    with pytest.raises(RecordDrift):
        await PlayingModel(record).reply(ask(text="Other words", purpose="planning"))


async def test_secrets_are_blotted_out_of_the_file(model_of, tmp_path):
    path = tmp_path / "record.json"
    record = Record()
    record.add_output("search_tool", {"header": "Bearer sk-secret"}, {"echo": ["sk-secret"]})
    record.save(path, ["sk-secret", ""])
    assert "sk-secret" not in path.read_text()
    assert Record.load(path).outputs[0].output == {"echo": ["***"]}
    assert list(tmp_path.iterdir()) == [path]


def test_tool_outputs_are_found_by_their_arguments_and_drift_shows_the_nearest():
    record = Record()
    record.add_output("search_tool", {"query": "amazon", "n": 3}, "52%")
    record.add_output("search_tool", {"query": "google", "n": 3}, "35%")
    matches = Matches(record)
    found = matches.output("search_tool", {"n": 3, "query": "google"})
    assert found is not None and found.output == "35%"
    assert matches.output("search_tool", {"n": 3, "query": "googol"}) is None
    drift = str(matches.no_output("search_tool", {"n": 3, "query": "googol"}))
    assert '-  "query": "google"\n+ "query": "googol"'.replace("-  ", "- ") in drift
    assert "it holds calls of: search_tool" in str(matches.no_output("weather_tool", {}))
    assert matches.unused() == ("call of search_tool outside of steps",)


BROKEN = {
    "not JSON": "{",
    "another format": '{"format": "other"}',
    "a later version": '{"version": 9}',
    "an unknown field": '{"surprise": 1}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_record_is_named(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(InvalidConfigError, match=r"broken.json.*is not a record"):
        Record.load(path)


def test_a_record_of_a_later_version_and_a_folder_are_told_by_what_helps(tmp_path):
    path = tmp_path / "later.json"
    path.write_text('{"format": "portia-nb-record", "version": 9, "surprise": 1}')
    with pytest.raises(InvalidConfigError, match=r"it has version 9.*1 are known.*update yours"):
        Record.load(path)
    with pytest.raises(InvalidConfigError, match="is a folder: name a file") as refused:
        Recorder(tmp_path).begin(())
    assert "delete" not in str(refused.value)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(InvalidConfigError, match="No such file"):
        Record.load(tmp_path / "gone.json")


async def test_a_value_that_is_not_json_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "record.json"
    Record(about="old").save(path)
    record = Record(about="new")
    record.add_output("t", {}, float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        record.save(path)
    assert json.loads(path.read_text())["about"] == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named_and_left_clean(tmp_path):
    folder = tmp_path / "record.json"
    folder.mkdir()
    with pytest.raises(StoreUnwritable, match="can't write the record"):
        Record().save(folder)
    assert list(tmp_path.iterdir()) == [folder]


# -- the scripted model ----------------------------------------------------------------------------


async def test_the_scripted_model_answers_recorded_queries_and_says_that_it_is_scripted(
    model_of, tmp_path
):
    record = await recorded(model_of, tmp_path / "record.json", ask(**PLANNING))
    model = ScriptedModel(records=[record])
    reply = await model.reply(ask(**PLANNING))
    assert (model.name, reply.model, reply.text) == ("scripted", "scripted", "Oslo")


async def test_any_other_query_is_the_no_key_error(model_of, tmp_path):
    record = await recorded(model_of, tmp_path / "record.json", ask(**PLANNING))
    with pytest.raises(NoModelKey, match=r"Set OPENAI_API_KEY, or another provider"):
        await ScriptedModel(records=[record]).reply(ask(text="Why?"))


async def test_a_record_that_lies_in_the_folder_is_pointed_to_where_no_key_is_set(
    model_of, tmp_path, monkeypatch
):
    record = await recorded(model_of, tmp_path / "lesson.json", ask(**PLANNING))
    (tmp_path / "data.json").write_text("[1]")
    (tmp_path / "a.json").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoModelKey, match=r"--replay lesson\.json or .*'lesson\.json'"):
        await ScriptedModel(records=[record]).reply(ask(text="Why?"))


def test_the_shipped_records_can_be_read_and_name_no_secret():
    for record in shipped_records():
        assert record.replies or record.outputs
        assert "sk-" not in record.model_dump_json()
