//! Who has to approve a revision before it goes live.

use super::Move;
use crate::prompt::Prompt;

/// What a release has to have.
pub(super) struct Bar<'a> {
    /// How many have to approve.
    pub(super) needed: i64,
    /// Who may; anybody where it is empty.
    reviewers: &'a [String],
    prompt: &'a Prompt,
}

impl<'a> Bar<'a> {
    /// The bar that what is live sets, or that the revision itself sets where it is higher. Where nothing is live, at least
    /// one has to approve.
    pub(super) fn of(step: &Move<'a>) -> Self {
        let asked = |prompt: &Prompt| prompt.approvals.unwrap_or(1);
        let prompt = step.prompt;
        let reviewers = step.live.map_or(&prompt.reviewers, |live| &live.reviewers);
        let reviewers = if reviewers.is_empty() { &prompt.reviewers } else { reviewers };
        Self { needed: asked(prompt).max(step.live.map_or(1, asked)), reviewers, prompt }
    }

    /// Whether somebody may approve what `proposer` proposed.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn admits(&self, author: &str, proposer: Option<&str>) -> Result<(), String> {
        if proposer == Some(author) {
            return Err(format!("was proposed by {author}, and somebody else has to approve it"));
        }
        if self.prompt.author == author {
            return Err(format!("was recorded by {author}, and somebody else has to approve it"));
        }
        if !self.reviewers.is_empty() && !self.reviewers.iter().any(|reviewer| reviewer == author) {
            return Err(format!("is reviewed by {}, and not by {author}", self.reviewers.join(", ")));
        }
        Ok(())
    }
}
