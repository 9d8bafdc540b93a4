//! A worker that listens to the channel `notes`, and keeps an index of the words in them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nova_core::pubsub::{Message, Received};
use nova_core::{Result, Service, ServiceContext};
use serde::Deserialize;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::{Note, NoteRepo};

/// After so many notes, a rebuild lets others have their turn.
const BATCH: usize = 1_000;

/// How long a database that has failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Finds notes by their words. Clones are the same index.
#[derive(Debug, Clone, Default)]
pub struct NoteIndex {
    /// `None` while it is being built. A std lock: no guard lives across an `.await`.
    words: Arc<RwLock<Option<Words>>>,
}

/// What the index is made of.
#[derive(Debug, Default)]
struct Words {
    /// The ids of the notes that have a word.
    ids: HashMap<String, BTreeSet<i64>>,
    notes: HashMap<i64, Arc<Note>>,
}

/// Keeps a [`NoteIndex`] up to date: it joins first and reads the database then, so that no change
/// falls between; and it reads again when it is started again, or when it has missed messages.
#[derive(Debug, Clone)]
pub struct NoteIndexer {
    notes: NoteRepo,
    index: NoteIndex,
    split: Split,
}

/// What the words of a text are.
pub type Split = fn(&str) -> Vec<String>;

/// Runs of letters and digits, in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

impl NoteIndexer {
    /// Keeps `index` over these notes.
    pub fn new(notes: &NoteRepo, index: &NoteIndex) -> Self {
        NoteIndexer::with_split(notes, index, words)
    }

    /// The same with another idea of words.
    pub fn with_split(notes: &NoteRepo, index: &NoteIndex, split: Split) -> Self {
        NoteIndexer {
            notes: notes.clone(),
            index: index.clone(),
            split,
        }
    }

    async fn rebuild(&self) -> Result<()> {
        self.index.set(None);
        let mut words = Words::default();
        for batch in self.notes.all().await?.chunks(BATCH) {
            for note in batch {
                words.put(Arc::new(note.clone()), self.split);
            }
            tokio::task::yield_now().await;
        }
        info!("notes in the index: {}", words.notes.len());
        self.index.set(Some(words));
        Ok(())
    }

    /// Reads the notes again, as soon as the database answers: that it does not is no reason to end
    /// the app, and until then there is no index.
    async fn rebuild_in_time(&self, context: &ServiceContext) {
        while let Err(error) = self.rebuild().await {
            warn!("the notes cannot be read: {error}");
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = context.stopping().wait() => return,
            }
        }
    }

    // ANCHOR: apply
    fn apply(&self, message: &Message) -> Result<()> {
        match message.topic() {
            "note_created" | "note_updated" => {
                let note: Arc<Note> = message.decode()?;
                debug!("indexing note {}: {}", note.id, note.title);
                self.index.change(|words| words.put(note, self.split));
            }
            "note_deleted" => {
                let deleted: Arc<Deleted> = message.decode()?;
                debug!("taking note {} out of the index", deleted.id);
                self.index
                    .change(|words| words.remove(deleted.id, self.split));
            }
            _ => {}
        }
        Ok(())
    }
    // ANCHOR_END: apply
}

#[derive(Deserialize)]
struct Deleted {
    id: i64,
}

// ANCHOR: service
impl Service for NoteIndexer {
    async fn run(&self, context: ServiceContext) -> Result<()> {
        // However this ends: an index that nobody keeps is none.
        let _none_at_the_end = NoneAtTheEnd(&self.index);
        let mut mailbox = context.pubsub().mailbox();
        mailbox.join("notes");
        self.rebuild().await?;
        while let Some(received) = mailbox.recv().await {
            match received {
                Received::Message(message) if message.topic() == "notes_uncertain" => {
                    self.rebuild_in_time(&context).await;
                }
                Received::Message(message) => {
                    // Anybody can broadcast here. What cannot be read may still mean a change.
                    if let Err(error) = self.apply(&message) {
                        warn!(
                            "reading the notes again after `{}`: {error}",
                            message.topic()
                        );
                        self.rebuild_in_time(&context).await;
                    }
                }
                Received::Lagged(_) => self.rebuild_in_time(&context).await,
            }
        }
        Ok(())
    }
}
// ANCHOR_END: service

struct NoneAtTheEnd<'i>(&'i NoteIndex);

impl Drop for NoneAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl NoteIndex {
    /// The notes that have all words of `text`, newest first; `None` while the index is built. A
    /// text without words finds nothing.
    pub fn find(&self, text: &str) -> Option<Vec<Arc<Note>>> {
        let index = self.words.read().unwrap_or_else(PoisonError::into_inner);
        Some(index.as_ref()?.find(&words(text)))
    }

    fn set(&self, words: Option<Words>) {
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = words;
    }

    fn change(&self, change: impl FnOnce(&mut Words)) {
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = words.as_mut() {
            change(words);
        }
    }
}

impl Words {
    fn put(&mut self, note: Arc<Note>, split: Split) {
        self.remove(note.id, split);
        for word in words_of(&note, split) {
            self.ids.entry(word).or_default().insert(note.id);
        }
        self.notes.insert(note.id, note);
    }

    fn remove(&mut self, id: i64, split: Split) {
        let Some(note) = self.notes.remove(&id) else {
            return;
        };
        for word in words_of(&note, split) {
            if let Entry::Occupied(mut ids) = self.ids.entry(word) {
                ids.get_mut().remove(&id);
                if ids.get().is_empty() {
                    ids.remove();
                }
            }
        }
    }

    fn find(&self, words: &[String]) -> Vec<Arc<Note>> {
        let sets: Option<Vec<_>> = words.iter().map(|word| self.ids.get(word)).collect();
        let Some((first, others)) = sets.as_ref().and_then(|sets| sets.split_first()) else {
            return Vec::new();
        };
        let all = first.iter().rev();
        all.filter(|id| others.iter().all(|set| set.contains(id)))
            .filter_map(|id| self.notes.get(id).cloned())
            .collect()
    }
}

fn words_of(note: &Note, split: Split) -> impl Iterator<Item = String> {
    let texts = [&note.title, &note.body, &note.author];
    texts.into_iter().flat_map(move |text| split(text))
}
