//! An item on a terminal, and the keys that judge it.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::bail;
use console::{Key, Term};
use serde_json::{Map, Value};
use tracewell_ledger::reviews::Judgement;
use tracewell_regression::review::{Item, Outcome, QuestionKind, Queue};
use tracewell_regression::{Answer, Example};
use tracewell_runs::render::Block;

use super::super::dataset::story;
use crate::output::{self, Form};

/// What a reviewer does with an item.
pub(super) enum Reply {
    Judged(Judgement),
    Ended,
}

/// Shows an item, and asks.
pub(super) fn ask(queue: &Queue, item: &Item, example: &Example) -> anyhow::Result<Reply> {
    output::page(Form::Text, &item.id, &shown(queue, item, example), &())?;
    let terminal = Term::stderr();
    loop {
        eprint!("[a]ccept  [c]orrect  [d]ecline  [q]uit ");
        std::io::stderr().flush()?;
        let outcome = match key(&terminal)? {
            'a' => Outcome::Accept,
            'c' => Outcome::Correct,
            'd' => Outcome::Decline,
            'q' => return Ok(Reply::Ended),
            _ => continue,
        };
        let expected = match outcome {
            Outcome::Correct => Some(Answer::of_text(line("What it should have been")?)),
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

fn line(question: &str) -> anyhow::Result<String> {
    loop {
        eprint!("{question}: ");
        std::io::stderr().flush()?;
        let text = read_line()?;
        if !text.trim().is_empty() {
            return Ok(text.trim().to_owned());
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
