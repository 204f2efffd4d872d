//! Reads sources ahead of the copies to a device.
//!
//! Reading, checksums, inflating and the conversion of 64-bit elements to words happen in one thread, copies to staging
//! memory in another, and the device copies from there. Between the two threads go a few buffers, round
//! and round, so that the memory is bounded and nothing is allocated on the way.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder};

use crate::base::stream::PIECE;
use crate::base::{Error, Result, ResultExt, Source};
use crate::tensor::convert::bytes_to_words;

/// Buffers between the threads.
const AHEAD: usize = 4;

/// Below this a second thread costs more time than it saves.
const WORTH_A_THREAD: usize = 2 * PIECE;

/// A source and its name in messages.
pub(super) type Item<'a> = (&'a dyn Source, &'a str);

/// Takes the position of a source, where in it the words are, in bytes of words, and the words.
type Take<'a> = dyn FnMut(usize, u64, &[u8]) -> Result<()> + 'a;

/// Words of one piece of a source.
#[derive(Default)]
struct Piece {
    item: usize,
    offset: u64,
    words: Vec<u8>,
}

/// Hands the words of all sources to `take`, in order, and checks the sources when all were read.
///
/// # Errors
/// Those of the sources and of `take`; [`Error::DType`] for 64-bit integers that do not fit a word.
pub(super) fn read(items: &[Item<'_>], take: &mut Take<'_>) -> Result<()> {
    let total = items.iter().fold(0, |sum: usize, (s, _)| sum.saturating_add(s.spec().bytes()));
    if total < WORTH_A_THREAD {
        let (mut piece, mut stored) = (Piece::default(), Vec::new());
        for place in places(items) {
            piece.fill(items, place, &mut stored)?;
            take(piece.item, piece.offset, &piece.words)?;
        }
    } else {
        read_ahead(items, take)?;
    }
    items.iter().try_for_each(|(source, name)| source.check().at(|| (*name).into()))
}

fn read_ahead(items: &[Item<'_>], take: &mut Take<'_>) -> Result<()> {
    thread::scope(|scope| {
        let (filled, pieces) = sync_channel(AHEAD);
        let (spare, empty) = sync_channel(AHEAD);
        let reader = Builder::new().name("reading weights".into());
        let started = reader.spawn_scoped(scope, move || fill_all(items, &empty, &filled));
        started.map_err(|e| Error::Device(format!("no thread for reading weights: {e}")))?;
        for _ in 0..AHEAD {
            // Fails when the reader has ended, which the loop below sees as well.
            let _ = spare.send(Piece::default());
        }
        for piece in pieces {
            let piece: Piece = piece?;
            take(piece.item, piece.offset, &piece.words)?;
            let _ = spare.send(piece);
        }
        Ok(())
    })
}

/// Fills empty pieces until all is read, something fails, or nobody wants more.
fn fill_all(items: &[Item<'_>], empty: &Receiver<Piece>, filled: &SyncSender<Result<Piece>>) {
    let mut stored = Vec::new();
    for place in places(items) {
        let Ok(mut piece) = empty.recv() else { return };
        let read = piece.fill(items, place, &mut stored);
        let is_last = read.is_err();
        if filled.send(read.map(|()| piece)).is_err() || is_last {
            return;
        }
    }
}

/// A source's position, its first element and the number of elements of a piece.
type Place = (usize, usize, usize);

fn places(items: &[Item<'_>]) -> impl Iterator<Item = Place> {
    items.iter().enumerate().flat_map(|(item, (source, _))| {
        let spec = source.spec();
        let (len, step) = (spec.shape.len(), PIECE / spec.dtype.size().max(1));
        (0..len).step_by(step).map(move |first| (item, first, step.min(len - first)))
    })
}

impl Piece {
    /// Reads a piece; `stored` is for bytes before their conversion.
    fn fill(
        &mut self,
        items: &[Item<'_>],
        (item, first, count): Place,
        stored: &mut Vec<u8>,
    ) -> Result<()> {
        let (source, name) = items[item];
        let dtype = source.spec().dtype;
        let size = dtype.size();
        // Pieces but for the last are whole words, of however many elements.
        (self.item, self.offset) = (item, (first * dtype.bytes_at_rest()) as u64);
        let read = if size <= 4 {
            self.words.resize(count * size, 0);
            let read = source.read(first * size, &mut self.words);
            self.words.resize((count * size).next_multiple_of(4), 0);
            read
        } else {
            stored.resize(count * size, 0);
            let read = source.read(first * size, stored);
            read.and_then(|()| bytes_to_words(dtype, stored, &mut self.words))
        };
        read.at(|| name.into())
    }
}
