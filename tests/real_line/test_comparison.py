"""How `make real` compares the real worker with the simulated one."""

import httpx

from real_line.comparison import difference, fields, without_tls


def answered(document: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=document)


def streamed(*documents: str) -> httpx.Response:
    text = "".join(f"data: {each}\n\n" for each in (*documents, "[DONE]"))
    return httpx.Response(200, text=text, headers={"Content-Type": "text/event-stream; charset=utf-8"})


def test_equal_fields_are_no_difference_whatever_their_values() -> None:
    assert difference(answered({"id": "a", "n": [1, 2]}), answered({"id": "b", "n": [3]})) == ""


def test_a_status_is_told_before_anything_else() -> None:
    assert difference(answered({"a": 1}, 400), answered({"b": 1}, 200)) == "status 400, simulated 200"


def test_missing_and_invented_fields_are_told_with_their_types() -> None:
    real, simulated = answered({"error": {"param": "model"}}), answered({"error": {"param": None}, "made": 1})
    assert difference(real, simulated) == (
        "simulated lacks error.param (str); only simulated error.param (null), made (int)"
    )


def test_another_message_and_other_headers_are_told() -> None:
    real, simulated = answered({"error": {"message": "too  long"}}, 400), answered({"error": {"message": "no"}}, 400)
    real.headers["Vary"] = "Origin"
    assert difference(real, simulated) == (
        "headers content-type, vary, simulated content-type; message “too long”, simulated “no”"
    )


def test_the_documents_of_a_stream_are_compared_together() -> None:
    real = streamed('{"choices": [{"delta": {"content": "a"}}]}', '{"choices": [], "usage": {"total_tokens": 2}}')
    simulated = streamed('{"choices": [{"delta": {"content": "b"}}]}')
    assert difference(real, simulated) == "simulated lacks [].usage.total_tokens (int)"


def test_a_text_and_an_empty_answer_have_no_fields() -> None:
    assert fields("") == {" (str)"}
    assert difference(httpx.Response(200), httpx.Response(200)) == ""


def test_the_options_of_tls_go_with_their_values() -> None:
    given = ["a/b", "--ssl-keyfile", "/k.pem", "--port", "8000", "--ssl-cert-reqs", "2", "--enforce-eager"]
    assert without_tls(given) == ["a/b", "--port", "8000", "--enforce-eager"]
