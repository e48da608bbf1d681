//! `tracewell changes`.

use clap::Args;
use tracewell_runs::changes::{self, Question};

use super::source::Asked;
use super::when;
use crate::output::{self, Form};

#[derive(Debug, Args)]
pub(crate) struct Changes {
    #[command(flatten)]
    asked: Asked,
    /// The prompt's name; its prompt_shape or prompt_hash where the application names none
    #[arg(long, value_name = "NAME")]
    prompt: String,
    /// Calls that began then or later: 2026-11-20, 2026-11-20T14:00:00Z, or how long ago: 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    since: Option<String>,
    /// Calls that began earlier
    #[arg(long, value_name = "TIME", value_parser = when::moment)]
    until: Option<String>,
    /// Instead: the instructions that the model received on this date (UTC)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = when::day, conflicts_with_all = ["since", "until"])]
    on: Option<String>,
    /// Of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// In this deployment environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

impl Changes {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let source = self.asked.open().await?;
        let Self { prompt, since, until, on, service, environment, format, .. } = self;
        let question = Question { prompt, since, until, service, environment };
        let now = crate::clock::now() / 1_000;
        let prompt = question.prompt.as_str();
        let written = match on {
            Some(date) => {
                let received = changes::received(&source, &question, &date, now).await?;
                let story = changes::received_page(prompt, &date, &received);
                output::page(format, &format!("Instructions of {prompt}"), &story, &received)
            }
            None => {
                let episodes = changes::changes(&source, &question, now).await?;
                output::page(
                    format,
                    &format!("Changes of {prompt}"),
                    &changes::changes_page(prompt, &episodes),
                    &episodes,
                )
            }
        };
        output::until_broken(written)
    }
}
