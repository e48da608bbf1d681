//! `/v1/prompts` and `/v1/releases` as gRPC: `tracewell.v1.Prompts` and `tracewell.v1.Releases`.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Map, Value, json};
use tonic::{Code, Response, Status};
use tracewell_ledger::releases::{self, Request};
use tracewell_ledger::{LedgerError, prompts};
use tracewell_proto::v1;
use tracewell_proto::v1::prompts_server::{Prompts, PromptsServer};
use tracewell_proto::v1::releases_server::{Releases, ReleasesServer};
use tracewell_query::Engine;
use tracewell_regression::Template;
use tracewell_regression::dataset::{Signed, check_name};
use tracewell_regression::prompt::{Kind, Origin, Prompt, PromptFile};
use tracewell_regression::release::{Entry, Step};

use super::{Records, TRAFFIC, production};

/// What people keep of prompts, for programs.
#[derive(Clone)]
pub struct LedgerService(Records);

/// The services of prompts and of releases.
pub fn ledger_services(records: Records) -> (PromptsServer<LedgerService>, ReleasesServer<LedgerService>) {
    let service = LedgerService(records);
    (PromptsServer::new(service.clone()), ReleasesServer::new(service))
}

impl LedgerService {
    fn source(&self) -> &Arc<Engine> {
        &self.0.ledger.source
    }
}

#[tonic::async_trait]
impl Prompts for LedgerService {
    async fn add(
        &self,
        request: tonic::Request<v1::AddPromptRequest>,
    ) -> Result<Response<v1::AddPromptResponse>, Status> {
        let asked = request.into_inner();
        let signed = signed(&asked.author, &asked.note)?;
        let origin = Origin { source: some(&asked.source), commit: some(&asked.commit) };
        let file = file(asked)?;
        let added = self.0.ledger.add_prompt(&file, &signed, &origin).await.map_err(refusal)?;
        let is_new = added.is_some();
        let prompt = match added {
            Some(added) => added,
            // It says what is on record.
            None => {
                let name = file.name.as_deref().unwrap_or_default();
                prompts::get(self.source(), name).await.map_err(refusal)?
            }
        };
        Ok(Response::new(v1::AddPromptResponse { prompt: Some(told(&prompt)), added: is_new }))
    }

    async fn get(&self, request: tonic::Request<v1::GetPromptRequest>) -> Result<Response<v1::Prompt>, Status> {
        let found = prompts::get(self.source(), &request.into_inner().prompt).await.map_err(refusal)?;
        Ok(Response::new(told(&found)))
    }

    async fn list(
        &self,
        _: tonic::Request<v1::ListPromptsRequest>,
    ) -> Result<Response<v1::ListPromptsResponse>, Status> {
        let found = prompts::list(self.source()).await.map_err(refusal)?;
        let prompts = found.into_iter().map(|one| v1::ListedPrompt {
            name: one.name,
            revision: one.revision,
            version: one.version,
            owner: one.owner.unwrap_or_default(),
            purpose: one.purpose.unwrap_or_default(),
            recorded_at: one.recorded_at,
            author: one.author,
            live: one.live.unwrap_or_default(),
            kind: named(one.kind),
        });
        Ok(Response::new(v1::ListPromptsResponse { prompts: prompts.collect() }))
    }

    async fn history(
        &self,
        request: tonic::Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let found = prompts::revisions(self.source(), &request.into_inner().prompt).await.map_err(refusal)?;
        Ok(Response::new(v1::HistoryResponse { revisions: found.iter().map(told).collect() }))
    }

    async fn diff(&self, request: tonic::Request<v1::DiffRequest>) -> Result<Response<v1::DiffResponse>, Status> {
        let v1::DiffRequest { before, after } = request.into_inner();
        let found = prompts::difference(self.source(), &before, &after).await.map_err(refusal)?;
        let (before, after) = (Some(told(&found.before)), Some(told(&found.after)));
        let (changed, governance) = (found.changed, found.governance);
        Ok(Response::new(v1::DiffResponse { before, after, changed, governance }))
    }

    async fn unregistered(
        &self,
        _: tonic::Request<v1::UnregisteredRequest>,
    ) -> Result<Response<v1::UnregisteredResponse>, Status> {
        let found = prompts::unregistered(self.source()).await.map_err(refusal)?;
        let prompts = found.into_iter().map(|one| v1::UnregisteredPrompt {
            prompt_name: one.prompt_name.unwrap_or_default(),
            prompt_version: one.prompt_version.unwrap_or_default(),
            prompt_shape: one.prompt_shape.unwrap_or_default(),
            services: one.services.unwrap_or_default(),
            calls: one.calls,
            last_seen: one.last_seen,
        });
        Ok(Response::new(v1::UnregisteredResponse { prompts: prompts.collect() }))
    }
}

#[tonic::async_trait]
impl Releases for LedgerService {
    async fn step(&self, request: tonic::Request<v1::StepRequest>) -> Result<Response<v1::StepResponse>, Status> {
        let asked = request.into_inner();
        let step = match asked.step() {
            v1::ReleaseStep::Unspecified => return Err(Status::invalid_argument("`step` says what is done")),
            v1::ReleaseStep::Draft => Step::Draft,
            v1::ReleaseStep::Propose => Step::Propose,
            v1::ReleaseStep::Approve => Step::Approve,
            v1::ReleaseStep::Reject => Step::Reject,
            v1::ReleaseStep::Stage => Step::Stage,
            v1::ReleaseStep::Live => Step::Live,
            v1::ReleaseStep::Rollback => Step::Rollback,
        };
        let at = match asked.at_unix_nano {
            0 => None,
            at => Some(i64::try_from(at).map_err(|_| Status::invalid_argument("`at_unix_nano` is out of all time"))?),
        };
        let verdict = some(&asked.verdict);
        let request = Request {
            step,
            prompt: &asked.prompt,
            environment: &some(&asked.environment).unwrap_or_else(production),
            signed: &signed(&asked.author, &asked.why)?,
            at: at.map(DateTime::from_timestamp_nanos),
            verdict: verdict.as_deref(),
            forced: asked.force,
        };
        let (entries, prompt, webhook) = self.0.step(&request).await.map_err(refusal)?;
        let entries = entries.into_iter().map(entry).collect();
        let webhook = webhook.unwrap_or_default();
        Ok(Response::new(v1::StepResponse { entries, prompt: Some(told(&prompt)), webhook }))
    }

    async fn log(&self, request: tonic::Request<v1::LogRequest>) -> Result<Response<v1::LogResponse>, Status> {
        let prompt = some(&request.into_inner().prompt);
        let found = releases::entries(self.source(), prompt.as_deref()).await.map_err(refusal)?;
        Ok(Response::new(v1::LogResponse { entries: found.into_iter().map(entry).collect() }))
    }

    async fn status(&self, request: tonic::Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let prompt = some(&request.into_inner().prompt);
        let found = releases::status(self.source(), prompt.as_deref(), TRAFFIC).await.map_err(refusal)?;
        let releases = found.into_iter().map(|one| v1::ReleaseStatus {
            kind: named(one.kind),
            prompt: one.prompt,
            environment: one.environment,
            live: one.live.unwrap_or_default(),
            live_since: one.since.unwrap_or_default(),
            seen: one.seen.unwrap_or_default(),
            last_seen: one.last_seen.unwrap_or_default(),
            calls: one.calls,
            other_calls: one.other_calls,
            agreement: one.agreement,
            forced: one.forced.unwrap_or_default(),
        });
        Ok(Response::new(v1::StatusResponse { releases: releases.collect() }))
    }
}

fn refusal(error: LedgerError) -> Status {
    let code = match &error {
        LedgerError::NotFound(_) => Code::NotFound,
        LedgerError::Refused(_) => Code::FailedPrecondition,
        LedgerError::Crowded(_) => Code::Aborted,
        LedgerError::Unkept(_) => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, error.to_string())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn signed(author: &str, note: &str) -> Result<Signed, Status> {
    Signed::new(author, Some(note)).map_err(Status::invalid_argument)
}

fn file(asked: v1::AddPromptRequest) -> Result<PromptFile, Status> {
    check_name(&asked.name).map_err(|error| Status::invalid_argument(format!("`name`: {error}")))?;
    let kind = match asked.kind.as_str() {
        "" | "prompt" => Kind::Prompt,
        "workflow" => Kind::Workflow,
        other => return Err(Status::invalid_argument(format!("`kind` is `{other}`; it is prompt or workflow"))),
    };
    if asked.messages.is_empty() && kind == Kind::Prompt {
        return Err(Status::invalid_argument("there are no `messages`"));
    }
    let file = PromptFile {
        kind,
        version: some(&asked.version),
        owner: some(&asked.owner),
        reviewers: asked.reviewers,
        approvals: asked.approvals,
        purpose: some(&asked.purpose),
        variables: Some(asked.variables).filter(|variables| !variables.is_empty()),
        routing: members("routing", &asked.routing)?,
        parameters: members("parameters", &asked.parameters)?,
        policy: members("policy", &asked.policy)?,
        thresholds: members("thresholds", &asked.thresholds)?,
        messages: asked
            .messages
            .into_iter()
            .map(|message| Template { role: message.role, content: message.content })
            .collect(),
        name: Some(asked.name),
    };
    file.check().map_err(Status::invalid_argument)?;
    Ok(file)
}

fn members(name: &str, text: &str) -> Result<Map<String, Value>, Status> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|error| Status::invalid_argument(format!("`{name}` is no JSON object: {error}")))
}

fn told(prompt: &Prompt) -> v1::Prompt {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let message = |message: Template| v1::PromptMessage { role: message.role, content: message.content };
    v1::Prompt {
        kind: named(prompt.kind),
        name: prompt.name.clone(),
        revision: prompt.revision,
        version: prompt.version.clone(),
        author: prompt.author.clone(),
        note: text(&prompt.note),
        source: text(&prompt.source),
        commit: text(&prompt.commit),
        messages: prompt.messages().into_iter().map(message).collect(),
        variables: prompt.variables.clone(),
        parameters: text(&prompt.parameters),
        routing: text(&prompt.routing),
        policy: text(&prompt.policy),
        thresholds: text(&prompt.thresholds),
        owner: text(&prompt.owner),
        reviewers: prompt.reviewers.clone(),
        approvals: prompt.approvals.and_then(|approvals| u32::try_from(approvals).ok()),
        purpose: text(&prompt.purpose),
        content_hash: prompt.content_hash.clone(),
        routing_hash: prompt.routing_hash.clone(),
        policy_hash: prompt.policy_hash.clone(),
    }
}

fn named(kind: Kind) -> String {
    json!(kind).as_str().unwrap_or_default().to_owned()
}

fn entry(entry: Entry) -> v1::ReleaseEntry {
    v1::ReleaseEntry {
        kind: named(entry.kind),
        state: json!(entry.state).as_str().unwrap_or_default().to_owned(),
        step: json!(entry.step).as_str().unwrap_or_default().to_owned(),
        entry: entry.entry,
        prompt: entry.prompt,
        environment: entry.environment,
        revision: entry.revision,
        version: entry.version,
        effective_at: entry.effective_at,
        author: entry.author,
        why: entry.why.unwrap_or_default(),
        change: entry.change,
        verdict: entry.verdict.unwrap_or_default(),
        decision: entry.decision.unwrap_or_default(),
        replaces: entry.replaces,
        forced: entry.forced,
        approvals: entry.approvals,
    }
}
