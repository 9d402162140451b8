//! What an installation does to one thing: looked up and said first, written when that was agreed to.

use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use skydeck_aws::Result;

/// How many things are looked at or written side by side: Lambda lets an account make 15 such calls in a second.
pub(super) const AT_ONCE: usize = 4;

/// What is to be done to one thing, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// AWS's word for it.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is done.
    pub change: Change,
}

/// What is done to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is as it should be.
    Unchanged,
    /// It is changed.
    Updated,
    /// It is not there.
    Created,
    /// It goes.
    Deleted,
}

impl Change {
    /// The word for what is to be done.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Change::Unchanged => "leave",
            Change::Updated => "update",
            Change::Created => "create",
            Change::Deleted => "delete",
        }
    }

    /// The word for what was done.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Change::Unchanged => "unchanged",
            Change::Updated => "updated",
            Change::Created => "created",
            Change::Deleted => "deleted",
        }
    }

    pub(super) fn updated_if(changes: bool) -> Self {
        if changes { Change::Updated } else { Change::Unchanged }
    }
}

/// The doing of a step. Like every future it does nothing before it is waited for.
pub(super) type Write<'a> = LocalBoxFuture<'a, Result<()>>;

/// One thing, what is to be done to it, and the doing.
pub(super) struct Step<'a> {
    pub(super) item: Item,
    write: Write<'a>,
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Step").field(&self.item).finish()
    }
}

impl<'a> Step<'a> {
    /// A step; where nothing changes, `write` is never waited for.
    pub(super) fn new(
        kind: &'static str,
        name: impl Into<String>,
        change: Change,
        write: impl Future<Output = Result<()>> + 'a,
    ) -> Self {
        Step { item: Item { kind, name: name.into(), change }, write: write.boxed_local() }
    }

    /// Does it.
    pub(super) async fn write(self) -> Result<Item> {
        if self.item.change != Change::Unchanged {
            self.write.await?;
        }
        Ok(self.item)
    }
}

/// Tells each thing as soon as it is done.
pub type Tell<'a> = &'a (dyn Fn(&Item) + Sync);

/// All that is to be done, in stages: what is in one stage stands on the stages before it, and on nothing beside it.
#[derive(Debug, Default)]
pub struct Changes<'a>(Vec<Vec<Step<'a>>>);

impl<'a> Changes<'a> {
    pub(super) fn then(mut self, stage: Vec<Step<'a>>) -> Self {
        self.0.push(stage);
        self
    }

    /// Every thing, what changes and what does not.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.0.iter().flatten().map(|step| &step.item)
    }

    /// How many things are to be changed so.
    #[must_use]
    pub fn count(&self, change: Change) -> usize {
        self.items().filter(|item| item.change == change).count()
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items().all(|item| item.change == Change::Unchanged)
    }

    /// Does all of it.
    ///
    /// # Errors
    /// The first thing that AWS refuses. What was done by then stays, and the next look finds it.
    pub async fn write(self, tell: Tell<'_>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for stage in self.0 {
            let mut writing = stream::iter(stage.into_iter().map(Step::write)).buffered(AT_ONCE);
            while let Some(item) = writing.try_next().await? {
                if item.change != Change::Unchanged {
                    tell(&item);
                }
                items.push(item);
            }
        }
        Ok(items)
    }
}
