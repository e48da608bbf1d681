"""Types into the prompt of `tracewell sql` at a terminal: completion, a statement over two lines, history.

Usage: repl.py BINARY DATA FOLDER. The history is kept below FOLDER. Prints what the terminal showed.
"""

import codecs
import os
import pty
import select
import sys
import time

binary, data, folder = sys.argv[1:4]
process, terminal = pty.fork()
if process == 0:
    os.environ.update(XDG_STATE_HOME=folder, TERM="xterm", COLUMNS="200")
    os.execv(binary, [binary, "sql", "--format", "csv", "--data", data])

# What was read, up to what was waited for last, and behind it.
shown, ahead = "", ""
# A character may come in two parts.
decode = codecs.getincrementaldecoder("utf-8")("replace").decode


def until(wanted):
    """Reads until the terminal shows `wanted` behind what was read before."""
    global shown, ahead
    deadline = time.monotonic() + 30
    while wanted not in ahead:
        assert time.monotonic() < deadline, f"{wanted!r} never came:\n{shown}{ahead}"
        if select.select([terminal], [], [], 0.1)[0]:
            ahead += decode(os.read(terminal, 65536))
    read, ahead = ahead.split(wanted, 1)
    shown += read + wanted


def types(text):
    os.write(terminal, text.encode())


PROMPT = "tracewell> "
until(PROMPT)
# A completion behind a character of three bytes, which is none of a word; then the line is given up.
types("SELECT '\u2014\t")
until("\u2014")
types("\x03")
until(PROMPT)
types("SELECT count(*) + 40 + 1 AS answer FROM llm_ca\t")
until("llm_calls")
types("\r")
types("WHERE trace_id = 'nothing';\r")
until("41")
until(PROMPT)
# The line before, from history.
types("\x1b[A")
until("nothing")
types("\r")
until("41")
until(PROMPT)
types("exit\r")
deadline = time.monotonic() + 30
while True:
    ended, status = os.waitpid(process, os.WNOHANG)
    if ended:
        break
    assert time.monotonic() < deadline, "it does not end"
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            os.read(terminal, 65536)
        except OSError:
            pass
assert status == 0, status
with open(f"{folder}/tracewell/history", encoding="utf-8") as history:
    assert "FROM llm_calls" in history.read()
print(shown)
