//! Why there is no page, as a page.

use analytics_ports::StoreError;
use axum::http::StatusCode;

use crate::services::ReportError;

/// Why a page cannot be shown, or an action not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// A part of the address cannot be read.
    #[error("{parameter}: {what}")]
    Query {
        /// Which part.
        parameter: String,
        /// What is wrong with it.
        what: String,
    },
    /// A report cannot be made as it was asked for.
    #[error("{0}")]
    Report(String),
    /// Nothing is kept under this name.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A form does not come from this dashboard, or is too old.
    #[error(
        "the form was not sent from this dashboard, or the service was started anew since the page was loaded"
    )]
    Forged,
    /// Whoever sends a form is not signed in.
    #[error("you are not signed in, or not any more")]
    SignedOut,
    /// The field of a form cannot be read.
    #[error("the field {0} of the form is missing or wrong")]
    Field(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem {
    /// A part of the address is wrong in this way.
    pub(super) fn query(parameter: &str, what: &str) -> Self {
        Self::Query { parameter: parameter.to_owned(), what: what.to_owned() }
    }

    /// The status of the answer.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Query { .. } | Self::Report(_) | Self::Field(_) => StatusCode::BAD_REQUEST,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Forged => StatusCode::FORBIDDEN,
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Store(StoreError::Unavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::Conflict { .. }) => StatusCode::CONFLICT,
            Self::Store(StoreError::Corrupt { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What it is, in a headline.
    pub(super) const fn title(&self) -> &'static str {
        match self {
            Self::Query { .. } => "The address cannot be read",
            Self::Report(_) => "There is no such report",
            Self::Field(_) => "The form cannot be read",
            Self::Missing(_) => "Not found",
            Self::Forged => "The form was refused",
            Self::SignedOut => "Signed out",
            Self::Store(StoreError::Unavailable { .. }) => "The store is away",
            Self::Store(StoreError::Conflict { .. }) => "Somebody else was faster",
            Self::Store(StoreError::Corrupt { .. }) => "The store holds something wrong",
        }
    }

    /// What to do about it.
    pub(super) const fn advice(&self) -> &'static str {
        match self {
            Self::Query { .. } | Self::Report(_) | Self::Field(_) => {
                "Change that part of the address, or begin again from the overview."
            }
            Self::Missing(_) => {
                "It may have been deleted after its retention. Begin again from the overview."
            }
            Self::Forged => "Load the page again and repeat what you did. Nothing was changed.",
            Self::SignedOut => {
                "Open the overview, which leads to where you can sign in. Nothing was changed."
            }
            Self::Store(StoreError::Unavailable { .. }) => {
                "Nothing is lost by waiting: load the page again in a moment. If that does not help, look whether the \
                 database runs and can be reached; /readyz says what the service sees."
            }
            Self::Store(StoreError::Conflict { .. }) => "Load the page again and look before you repeat it.",
            Self::Store(StoreError::Corrupt { .. }) => {
                "The row that is named breaks a rule; it takes a person to mend or delete it."
            }
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => Self::Store(error),
            ReportError::Key { .. } | ReportError::Days(_) | ReportError::NoPeriodBefore => {
                Self::Report(error.to_string())
            }
        }
    }
}
