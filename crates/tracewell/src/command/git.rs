//! Prompts in a git repository, as git's own command tells of them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use tracewell_regression::dataset::Signed;

/// What a commit did to a folder.
pub(crate) struct Commit {
    /// `None` where the files are as they are now, outside a repository.
    pub(crate) id: Option<String>,
    /// Its author, and its subject.
    pub(crate) signed: Signed,
    /// When it was committed.
    pub(crate) at: DateTime<Utc>,
    /// Prompts that it changed: paths below the folder, and texts.
    pub(crate) files: Vec<(String, String)>,
}

/// A tag: a state of the repository that has a name.
pub(crate) struct Tag {
    pub(crate) name: String,
    /// Who tagged, or else committed, and the tag's subject.
    pub(crate) signed: Signed,
    pub(crate) at: DateTime<Utc>,
}

pub(crate) fn is_prompt(path: &str) -> bool {
    [".toml", ".md", ".txt", ".prompt"].iter().any(|ending| path.ends_with(ending)) && !path.ends_with("README.md")
}

/// Every commit that touched the folder, the oldest first.
pub(crate) fn history(folder: &Path) -> anyhow::Result<Vec<Commit>> {
    let log = git(folder, &["log", "--reverse", "--format=%H%x09%cI%x09%an%x09%s", "--", "."])?;
    let mut commits = Vec::new();
    for line in log.lines() {
        let mut fields = line.splitn(4, '\t');
        let (Some(id), Some(at), Some(author)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let names = git(
            folder,
            // Without -z names that are not ASCII come in quotes.
            &["diff-tree", "-z", "--root", "--no-commit-id", "--name-only", "--diff-filter=d", "-r", "--relative", id],
        )?;
        let mut files = Vec::new();
        for name in names.split('\0').filter(|name| is_prompt(name)) {
            files.push((name.to_owned(), git(folder, &["show", &format!("{id}:./{name}")])?));
        }
        let signed = Signed { author: author.to_owned(), note: fields.next().map(str::to_owned) };
        commits.push(Commit { id: Some(id.to_owned()), signed, at: moment(at)?, files });
    }
    Ok(commits)
}

/// The last commit that touched the folder, if there is one.
pub(crate) fn last(folder: &Path) -> Option<String> {
    let id = git(folder, &["log", "-1", "--format=%H", "--", "."]).ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The tags of that pattern, the oldest first.
pub(crate) fn tags(folder: &Path, pattern: &str) -> anyhow::Result<Vec<Tag>> {
    let format = "%(refname:lstrip=2)%09%(creatordate:iso-strict)%09%(taggername)%(if)%(taggername)%(then)%(else)%(authorname)%(end)%09%(contents:subject)";
    let (format, pattern) = (format!("--format={format}"), format!("refs/tags/{pattern}"));
    let listed = git(folder, &["for-each-ref", "--sort=creatordate", &format, &pattern])?;
    let mut tags = Vec::new();
    for line in listed.lines() {
        let mut fields = line.splitn(4, '\t');
        let (Some(name), Some(at), Some(author)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let note = fields.next().map_or_else(|| name.to_owned(), |subject| format!("{name}: {subject}"));
        tags.push(Tag {
            name: name.to_owned(),
            signed: Signed { author: author.to_owned(), note: Some(note) },
            at: moment(at)?,
        });
    }
    Ok(tags)
}

/// The commits that a revision holds.
pub(crate) fn held(folder: &Path, revision: &str) -> anyhow::Result<Vec<String>> {
    let listed = git(folder, &["rev-list", revision, "--", "."])?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn moment(text: &str) -> anyhow::Result<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).with_context(|| format!("git tells a time `{text}`"))?;
    Ok(at.to_utc())
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments[0], String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
