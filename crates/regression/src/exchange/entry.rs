//! What a line says of an example, and what it leaves as it is.

use crate::Example;

/// An example as far as a line names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counted from 1; where it begins.
    pub line: usize,
    /// What it says.
    pub example: Example,
    names: Vec<Member>,
}

/// An example that was read, and which members were named.
pub(super) struct Given {
    pub(super) example: Example,
    pub(super) names: Vec<Member>,
}

/// A member of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Messages,
    /// A text alone, which is what the user asks.
    Question,
    Tools,
    Documents,
    Parameters,
    Output,
    Expected,
    Reason,
    Source,
    Split,
    Tags,
    Metadata,
    /// Members of the metadata, beside those that are there.
    MoreMetadata,
}

impl Given {
    pub(super) fn at(self, line: usize) -> Entry {
        Entry { line, example: self.example, names: self.names }
    }
}

impl Entry {
    /// The whole example, where `known` is what there is of it.
    ///
    /// # Errors
    /// When there is nothing of it and it is not whole, or a text alone would replace a conversation.
    pub fn onto(&self, known: Option<&Example>) -> Result<Example, String> {
        let given = self.example.clone();
        let Some(known) = known else {
            let is_whole = !given.messages.is_empty();
            let lacking = || "it has neither `messages` nor `input`, and is no example of the dataset yet".to_owned();
            return is_whole.then_some(given).ok_or_else(lacking);
        };
        let mut whole = known.clone();
        for name in &self.names {
            self.put(*name, &mut whole)?;
        }
        Ok(whole)
    }

    fn put(&self, name: Member, whole: &mut Example) -> Result<(), String> {
        let given = self.example.clone();
        match name {
            Member::Messages => whole.messages = given.messages,
            Member::Question if whole.question() == given.question() => {}
            Member::Question if whole.messages.len() > 1 => {
                let count = whole.messages.len();
                return Err(format!("`input` alone would replace a conversation of {count} messages; give `messages`"));
            }
            Member::Question => whole.messages = given.messages,
            Member::Tools => whole.tools = given.tools,
            Member::Documents => whole.documents = given.documents,
            Member::Parameters => whole.parameters = given.parameters,
            Member::Output => whole.output = given.output,
            Member::Expected => whole.expected = given.expected,
            Member::Reason => whole.reason = given.reason,
            Member::Source => whole.source = given.source,
            Member::Split => whole.split = given.split,
            Member::Tags => whole.tags = given.tags,
            Member::Metadata => whole.metadata = given.metadata,
            Member::MoreMetadata => whole.metadata.extend(given.metadata),
        }
        Ok(())
    }
}
