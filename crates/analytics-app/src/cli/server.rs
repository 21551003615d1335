//! A running service that a command asks, instead of a store.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::http::{Method, Request, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::CliError;
use super::store::OperatorArgs;
use crate::live::{Scope, Tokens};
use crate::system::{http_agent, trusted_certificates};

/// The service, by its address, and the right to ask it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArgs {
    /// Address of a running service to ask, such as <http://127.0.0.1:8080>
    #[arg(long, value_name = "URL", conflicts_with = "store")]
    server: Option<String>,
    /// File of the tokens of that service; none is needed on the machine of a service that listens on loopback
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
}

/// A service that can be asked.
pub(super) struct Server {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

impl ServerArgs {
    /// The service, where one was named.
    pub(super) fn open(&self) -> Result<Option<Server>, CliError> {
        let Some(url) = &self.server else { return Ok(None) };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(CliError::Usage(anyhow!(
                "--server {url}: give an address that begins with http:// or https://"
            )));
        }
        let token = match &self.token_file {
            None => None,
            Some(path) => {
                let tokens = Tokens::read(path).map_err(CliError::usage)?;
                let missing = || CliError::Usage(anyhow!("there is no token file {}", path.display()));
                tokens.ok_or_else(missing)?.token(Scope::Admin).map(str::to_owned)
            }
        };
        let trusted = if url.starts_with("https://") { trusted_certificates() } else { Vec::new() };
        let url = url.trim_end_matches('/').to_owned();
        Ok(Some(Server { agent: http_agent(TIMEOUT, &trusted), url, token }))
    }
}

impl Server {
    /// What a route answers, as the JSON that it sent.
    pub(super) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<String, CliError> {
        let mut asked = self.agent.get(format!("{}{path}", self.url));
        for (key, value) in query {
            asked = asked.query(key, value);
        }
        for (name, value) in self.fields(None) {
            asked = asked.header(name, value);
        }
        self.answer(asked.call())
    }

    /// What a route answers that changes something, and for whom, where that is written down.
    pub(super) fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        by: Option<&OperatorArgs>,
    ) -> Result<String, CliError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in self.fields(by) {
            request = request.header(name, value);
        }
        let answered = match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json");
                self.agent.run(request.body(body.to_string()).map_err(CliError::usage)?)
            }
            None => self.agent.run(request.body(()).map_err(CliError::usage)?),
        };
        self.answer(answered)
    }

    fn fields(&self, by: Option<&OperatorArgs>) -> Vec<(&'static str, String)> {
        let token = self.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        let name = by.map(|by| ("x-operator", by.by.clone()));
        let reason = by.and_then(|by| by.reason.clone()).map(|reason| ("x-reason", reason));
        token.into_iter().chain(name).chain(reason).collect()
    }

    fn answer(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, CliError> {
        let mut answer =
            answered.with_context(|| format!("cannot ask {}", self.url)).map_err(CliError::Failed)?;
        let text = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let text =
            text.with_context(|| format!("{} did not answer whole", self.url)).map_err(CliError::Failed)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let told = problem["detail"].as_str().or_else(|| problem["title"].as_str()).unwrap_or("no reason");
        let hint = if status == 401 { "; give the service's --token-file" } else { "" };
        Err(CliError::Failed(anyhow!("{} answered {}: {told}{hint}", self.url, status.as_u16())))
    }
}

/// What a service sent, read.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, CliError> {
    let read =
        serde_json::from_str(text).context("the service is of another version: its answer cannot be read");
    read.map_err(CliError::Failed)
}

/// A report over months may take this long.
const TIMEOUT: Duration = Duration::from_mins(1);

/// No answer is larger: an explanation lists 10,000 requests at most.
const MOST_BYTES: u64 = 64 << 20;
