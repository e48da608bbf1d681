//! An item on a terminal, and the keys that judge it.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;
use console::{Key, Term};
use serde_json::{Map, Value};
use tracewell_ledger::reviews::Judgement;
use tracewell_regression::review::{Item, Outcome, QuestionKind, Queue};
use tracewell_regression::{Answer, Example, ToolCall};
use tracewell_runs::render::Block;

use super::super::answer::calls_of;
use super::super::dataset::story;
use crate::output::{self, Form};

/// What a reviewer does with an item.
pub(super) enum Reply {
    Judged(Judgement),
    Skipped,
    Ended,
}

/// Shows an item, and asks.
pub(super) fn ask(queue: &Queue, item: &Item, example: &Example) -> anyhow::Result<Reply> {
    output::page(Form::Text, &item.id, &shown(queue, item, example), &())?;
    let terminal = Term::stderr();
    loop {
        eprint!("[a]ccept  [c]orrect  [d]ecline  [s]kip  [q]uit ");
        std::io::stderr().flush()?;
        let outcome = match key(&terminal)? {
            'a' => Outcome::Accept,
            'c' => Outcome::Correct,
            'd' => Outcome::Decline,
            's' => return Ok(Reply::Skipped),
            'q' => return Ok(Reply::Ended),
            _ => continue,
        };
        let expected = match outcome {
            Outcome::Correct => Some(correction(example)?),
            _ => None,
        };
        let answers = if outcome == Outcome::Decline { Map::new() } else { answers(queue)? };
        return Ok(Reply::Judged(Judgement { outcome, answers, expected, note: None }));
    }
}

fn shown(queue: &Queue, item: &Item, example: &Example) -> Vec<Block> {
    let mut blocks = story(example);
    if queue.shows(item, None) {
        for (reviewer, said) in &item.said {
            let note = said.note.clone().map_or_else(String::new, |note| format!(": {note}"));
            blocks.push(Block::Note(format!("{reviewer}: {}{note}", said.outcome.word())));
        }
    }
    blocks
}

/// One key on a terminal; elsewhere the first letter of a line, so that answers can be piped in.
fn key(terminal: &Term) -> anyhow::Result<char> {
    if !std::io::stdin().is_terminal() {
        return Ok(read_line()?.chars().next().unwrap_or(' ').to_ascii_lowercase());
    }
    let key = terminal.read_key()?;
    eprintln!();
    Ok(match key {
        Key::Char(c) => c.to_ascii_lowercase(),
        Key::Escape | Key::CtrlC => 'q',
        _ => ' ',
    })
}

/// What the output should have been: a text of any number of lines, and where tools play a part their calls.
fn correction(example: &Example) -> anyhow::Result<Answer> {
    let answers = [&example.output, &example.expected];
    let calls_tools = answers.into_iter().flatten().any(|answer| !answer.tool_calls.is_empty());
    loop {
        eprintln!("What it should have been; a line with nothing but a full stop ends it:");
        let text = lines()?;
        let calls = if calls_tools || !example.tools.is_empty() { tool_calls()? } else { Vec::new() };
        if !text.trim().is_empty() || !calls.is_empty() {
            let text = (!text.trim().is_empty()).then(|| text.trim().to_owned());
            return Ok(Answer { text, tool_calls: calls });
        }
    }
}

fn lines() -> anyhow::Result<String> {
    let mut text = String::new();
    loop {
        let line = read_line()?;
        if line.trim_end() == "." {
            return Ok(text);
        }
        text += &line;
    }
}

fn tool_calls() -> anyhow::Result<Vec<ToolCall>> {
    loop {
        eprint!("Tool calls, such as [{{\"name\": \"find\", \"arguments\": {{\"id\": 7}}}}]; nothing for none: ");
        std::io::stderr().flush()?;
        match calls_of(&read_line()?) {
            Ok(calls) => return Ok(calls),
            Err(reason) => eprintln!("{reason}"),
        }
    }
}

fn read_line() -> anyhow::Result<String> {
    let mut text = String::new();
    if std::io::stdin().lock().read_line(&mut text)? == 0 {
        bail!("the input ended before the item was judged");
    }
    Ok(text)
}

fn answers(queue: &Queue) -> anyhow::Result<Map<String, Value>> {
    let mut answers = Map::new();
    for question in &queue.questions {
        let hint = match question.kind {
            QuestionKind::YesNo => " (y/n)".to_owned(),
            QuestionKind::Choice => format!(" ({})", question.choices.join(", ")),
            QuestionKind::Number | QuestionKind::Text => String::new(),
        };
        loop {
            eprint!("{}{hint}: ", question.name);
            std::io::stderr().flush()?;
            let text = read_line()?;
            if text.trim().is_empty() && !question.required {
                break;
            }
            match question.read(&text) {
                Ok(answer) => {
                    answers.insert(question.name.clone(), answer);
                    break;
                }
                Err(reason) => eprintln!("{reason}"),
            }
        }
    }
    Ok(answers)
}
