//! `tracewell prompt`: the prompts on record.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use tracewell_blocks::counted;
use tracewell_ledger::LedgerError;
use tracewell_ledger::prompts::{self, Difference};
use tracewell_regression::dataset::Signed;
use tracewell_regression::prompt::{Kind, Origin, Prompt as Recorded, PromptFile};
use tracewell_runs::render::Block;

use super::author::Author;
use super::git::{self, Commit, is_prompt};
use super::source::{Asked, Source};
use crate::output::{self, Form, Shown};

#[derive(Debug, Args)]
pub(crate) struct Prompt {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Record a prompt: a new revision, where it says something new.
    #[command(
        after_help = "A prompt is a TOML file:\n\n  name = \"refund-helper\"\n  owner = \"ann\"\n  reviewers = [\"bob\"]\n  approvals = 1\n  purpose = \"Answers questions about refunds.\"\n  [routing]\n  provider = \"openai\"\n  model = \"gpt-4.1-mini\"\n  [parameters]\n  temperature = 0\n  [[message]]\n  role = \"system\"\n  content = \"You help {{ customer }}.\"\n\nor a text, which is the instructions alone. With `kind = \"workflow\"` it is a workflow, whose name and version are what is released; it needs no messages.\n\nExamples:\n  tracewell prompt add prompts/refund-helper.toml --note \"kinder\"\n  tracewell prompt add helper.md --name refund-helper"
    )]
    Add(Add),
    /// All prompts, or those in traffic that nobody recorded.
    #[command(after_help = "Examples:\n  tracewell prompt list\n  tracewell prompt list --unregistered")]
    List(List),
    /// A prompt as a revision has it, or its history.
    #[command(
        after_help = "Examples:\n  tracewell prompt show refund-helper\n  tracewell prompt show refund-helper@12 --format json\n  tracewell prompt show refund-helper --history"
    )]
    Show(Show),
    /// What differs between two revisions.
    #[command(after_help = "Example:\n  tracewell prompt diff refund-helper@12 refund-helper@13")]
    Diff(Diff),
    /// Record every prompt file of a folder, with the commit of its git repository.
    #[command(
        after_help = "Files ending in .toml, .md, .txt and .prompt are prompts; what they say is recorded where it is new.\n\nExamples:\n  tracewell prompt sync prompts\n  tracewell prompt sync prompts --history"
    )]
    Sync(Sync),
}

#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name, where the file does not say it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The commit that the file is of
    #[arg(long, value_name = "ID")]
    commit: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asked: Asked,
    /// Those in traffic that are not on record; calls that name no prompt go by the shape of their instructions
    #[arg(long)]
    unregistered: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    asked: Asked,
    /// The prompt, in its latest revision or in this one
    #[arg(value_name = "NAME[@REVISION]")]
    prompt: String,
    /// All revisions: who, when, why
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct Diff {
    #[command(flatten)]
    asked: Asked,
    /// One revision
    #[arg(value_name = "NAME@REVISION")]
    before: String,
    /// The other
    #[arg(value_name = "NAME[@REVISION]")]
    after: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Debug, Args)]
struct Sync {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    author: Author,
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Every commit that touched the folder, the oldest first, by its own author
    #[arg(long)]
    history: bool,
}

impl Prompt {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Add(add) => add.run().await,
            What::List(list) => {
                let query = if list.unregistered { prompts::UNREGISTERED } else { prompts::LIST };
                let why = match list.unregistered {
                    true => "all prompts in traffic are on record",
                    false => "no prompt is on record; `tracewell prompt add` and `tracewell prompt sync` record them",
                };
                print(&list.asked.open().await?, query, list.shown, why).await
            }
            What::Show(show) => show.run().await,
            What::Diff(diff) => diff.run().await,
            What::Sync(sync) => sync.run().await,
        }
    }
}

async fn print(source: &Source, query: &str, shown: Shown, why: &str) -> anyhow::Result<()> {
    output::print_or_say(shown.format(), &source.sql(query).await?, why)
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let shown = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(|| format!("cannot read `{shown}`"))?;
        let base = self.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut file = read(base, &text).with_context(|| format!("`{shown}` is no prompt"))?;
        if let Some(name) = self.name {
            file.name = Some(name);
        }
        let ledger = self.asked.ledger().await?;
        let origin = Origin { source: Some(shown), commit: self.commit };
        let added = ledger.add_prompt(&file, &self.author.signed()?, &origin).await?;
        tell(&file, added.as_ref());
        Ok(())
    }
}

fn read(path: &str, text: &str) -> anyhow::Result<PromptFile> {
    PromptFile::parse(path, text).map_err(anyhow::Error::msg)
}

fn tell(file: &PromptFile, added: Option<&Recorded>) {
    match added {
        Some(prompt) => super::say!("{}@{}", prompt.name, prompt.revision),
        None => eprintln!("`{}` says what its last revision says", file.name.as_deref().unwrap_or_default()),
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let prompt = prompts::get(&source, &self.prompt).await?;
        if self.history {
            return print(&source, &prompts::history(&prompt.name), self.shown, "it has no revisions").await;
        }
        let form = self.shown.form();
        let title = format!("{}@{}", prompt.name, prompt.revision);
        output::page(form, &title, &story(&prompt), &prompt.whole())
    }
}

/// All of a prompt.
pub(super) fn story(prompt: &Recorded) -> Vec<Block> {
    let facts = [
        ("kind", (prompt.kind == Kind::Workflow).then(|| "workflow".to_owned())),
        ("version", Some(prompt.version.clone())),
        ("owner", prompt.owner.clone()),
        ("reviewers", (!prompt.reviewers.is_empty()).then(|| prompt.reviewers.join(", "))),
        ("approvals", prompt.approvals.map(|approvals| approvals.to_string())),
        ("thresholds", prompt.thresholds.clone()),
        ("purpose", prompt.purpose.clone()),
        ("variables", (!prompt.variables.is_empty()).then(|| prompt.variables.join(", "))),
        ("routing", prompt.routing.clone()),
        ("parameters", prompt.parameters.clone()),
        ("policy", prompt.policy.clone()),
        ("recorded by", Some(prompt.author.clone())),
        ("why", prompt.note.clone()),
        ("source", prompt.source.clone()),
        ("commit", prompt.commit.clone()),
    ];
    let facts = facts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    let mut blocks = vec![Block::Heading(1, format!("{}@{}", prompt.name, prompt.revision)), Block::Facts(facts)];
    blocks.extend(prompt.messages().into_iter().map(|message| Block::Text(message.role, message.content)));
    blocks
}

impl Diff {
    async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let Difference { before, after, changed: change, governance } =
            prompts::difference(&source, &self.before, &self.after).await?;
        let pretty = |prompt: &Recorded| {
            let mut whole = prompt.whole();
            if let Some(members) = whole.as_object_mut() {
                let of_the_revision = ["revision", "version", "messages", "author", "note", "source", "commit"];
                of_the_revision.iter().for_each(|name| drop(members.remove(*name)));
            }
            let said =
                prompt.messages().into_iter().map(|message| format!("[{}]\n{}\n", message.role, message.content));
            said.collect::<String>() + &serde_json::to_string_pretty(&whole).unwrap_or_default()
        };
        let (old, new) = (pretty(&before), pretty(&after));
        let lines = tracewell_runs::diff::lines(&old, &new);
        let changed = if change.is_empty() { "nothing that calls depend on".to_owned() } else { change.join(", ") };
        let mut facts = vec![("changed", changed)];
        facts.extend((!governance.is_empty()).then(|| ("governance", governance.join(", "))));
        let blocks = [
            Block::Heading(1, format!("{}@{} and {}@{}", before.name, before.revision, after.name, after.revision)),
            Block::Facts(facts),
            Block::Difference(lines),
        ];
        let value = serde_json::json!({
            "before": before.whole(), "after": after.whole(), "changed": change, "governance": governance,
        });
        output::page(self.format, "Prompts", &blocks, &value)
    }
}

impl Sync {
    async fn run(self) -> anyhow::Result<()> {
        let signed = self.author.signed()?;
        let ledger = self.asked.ledger().await?;
        let (mut added, mut same, mut wrong, mut refused) = (0, 0, 0, 0);
        let commits = self.commits(&signed)?;
        let recorded = recorded(&ledger.source, &commits).await?;
        for (place, commit) in commits.into_iter().enumerate() {
            for (path, text) in commit.files {
                let file = match read(&path, &text) {
                    Ok(file) => file,
                    Err(error) => {
                        wrong += 1;
                        eprintln!("tracewell: `{path}` is no prompt: {error:#}");
                        continue;
                    }
                };
                // A history that is taken over again goes on behind what it told before.
                if self.history
                    && recorded.get(file.name.as_deref().unwrap_or_default()).is_some_and(|last| place <= *last)
                {
                    same += 1;
                    continue;
                }
                let origin = Origin { source: Some(path), commit: commit.id.clone() };
                match ledger.add_prompt(&file, &commit.signed, &origin).await {
                    Ok(Some(prompt)) => {
                        added += 1;
                        super::say!("{}@{}", prompt.name, prompt.revision);
                    }
                    Ok(None) => same += 1,
                    Err(LedgerError::Refused(reason)) => {
                        refused += 1;
                        eprintln!("tracewell: `{}`: {reason}", origin.source.unwrap_or_default());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        eprintln!(
            "{} recorded, {} what is on record, {}",
            counted(added, "revision was", "revisions were"),
            counted(same, "file says", "files say"),
            counted(wrong, "is no prompt", "are no prompts"),
        );
        let wrong_files = counted(wrong, "file is no prompt", "files are no prompts");
        anyhow::ensure!(wrong == 0, "{wrong_files}; the others are recorded");
        let refusals = counted(refused, "revision was refused", "revisions were refused");
        anyhow::ensure!(refused == 0, "{refusals}; the others are recorded");
        Ok(())
    }

    /// What is to be recorded: the files as they are, or as each commit had them.
    fn commits(&self, signed: &Signed) -> anyhow::Result<Vec<Commit>> {
        if self.history {
            return git::history(&self.folder);
        }
        let mut files = Vec::new();
        collect(&self.folder, "", &mut files)?;
        let signed = signed.clone();
        Ok(vec![Commit { id: git::last(&self.folder), signed, at: crate::clock::moment(), files }])
    }
}

/// Of each prompt the last of the commits that is on record.
async fn recorded(source: &Source, commits: &[Commit]) -> anyhow::Result<HashMap<String, usize>> {
    let revisions = prompts::of_commits(source).await?;
    let place = |id: &str| commits.iter().position(|commit| commit.id.as_deref() == Some(id));
    let mut last = HashMap::new();
    for revision in revisions {
        if let Some(place) = place(&revision.commit) {
            let known: &mut usize = last.entry(revision.name).or_default();
            *known = place.max(*known);
        }
    }
    Ok(last)
}

fn collect(folder: &Path, below: &str, files: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read `{}`", folder.display());
    let entries = std::fs::read_dir(folder).with_context(unreadable)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>().with_context(unreadable)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let inside = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if path.is_dir() {
            collect(&path, &inside, files)?;
        } else if is_prompt(name) {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            files.push((inside, text));
        }
    }
    Ok(())
}
