//! A file system in memory whose calls can fail, and which can crash.
//!
//! It keeps what a disk would: what was synced is there after a crash; of what was not, any part may
//! be. Data is torn at sectors; names that were made, moved or removed since the last sync of their
//! folder are each there or not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{FileSystem, Kind, NewFile};

const SECTOR: usize = 512;
const ROOT: usize = 0;

/// All files of a tree by their paths; folders are empty files.
pub(in crate::saving) type Tree = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Clone)]
enum Node {
    File(Vec<u8>),
    Folder(BTreeMap<OsString, usize>),
}

/// Files and folders by number.
type State = Vec<Node>;

/// A name in a folder.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    folder: usize,
    name: OsString,
}

/// What a call does to the disk.
#[derive(Clone)]
enum Change {
    Link { at: Entry, node: usize },
    Write { node: usize, at: usize, bytes: Vec<u8> },
    Rename { from: Entry, to: Entry, node: usize },
    Exchange { a: (Entry, usize), b: (Entry, usize) },
    Remove { at: Entry },
    SyncFile { node: usize },
    SyncFolder { folder: usize },
}

/// What happens to the call that is due to fail.
#[derive(Clone, Copy)]
pub(in crate::saving) enum Fault {
    Error(io::ErrorKind),
    /// Writes take one byte less than they are given, all others work.
    ShortWrite,
    /// A bit of the file changes when it has been synced; its number counts from the start again where
    /// the file ends. All other calls work.
    Flip(usize),
}

struct Shared {
    state: RefCell<State>,
    log: RefCell<Vec<Change>>,
    calls: Cell<usize>,
    fault: Cell<Option<(usize, Fault)>>,
    can_exchange: Cell<bool>,
}

/// The file system; clones are the same one.
#[derive(Clone)]
pub(in crate::saving) struct Memory(Rc<Shared>);

impl Memory {
    /// An empty one, where folders can change places or not.
    pub(in crate::saving) fn new(can_exchange: bool) -> Memory {
        Memory::of(vec![Node::Folder(BTreeMap::new())], can_exchange)
    }

    fn of(state: State, can_exchange: bool) -> Memory {
        Memory(Rc::new(Shared {
            state: RefCell::new(state),
            log: RefCell::default(),
            calls: Cell::default(),
            fault: Cell::default(),
            can_exchange: can_exchange.into(),
        }))
    }

    /// The same files, all of them on the disk, as a file system of its own.
    pub(in crate::saving) fn copy(&self) -> Memory {
        Memory::of(self.0.state.borrow().clone(), self.can_exchange())
    }

    /// Whether folders can change places.
    pub(in crate::saving) fn can_exchange(&self) -> bool {
        self.0.can_exchange.get()
    }

    /// Makes the call of this number fail.
    pub(in crate::saving) fn fail(&self, call: usize, fault: Fault) {
        self.0.fault.set(Some((call, fault)));
    }

    /// How many calls were made.
    pub(in crate::saving) fn calls(&self) -> usize {
        self.0.calls.get()
    }

    /// All files and folders.
    pub(in crate::saving) fn tree(&self) -> Tree {
        tree(&self.0.state.borrow())
    }

    /// How many changes were made.
    pub(in crate::saving) fn changes(&self) -> usize {
        self.0.log.borrow().len()
    }

    /// What is on the disk of `before` when the machine crashes after the first `count` of the
    /// changes made here; `keep` decides about each part that was not synced.
    pub(in crate::saving) fn after_crash(
        &self,
        before: &Memory,
        count: usize,
        keep: &mut dyn FnMut() -> bool,
    ) -> Tree {
        let log = &self.0.log.borrow()[..count];
        let mut disk = before.0.state.borrow().clone();
        // Nodes are what names and writes refer to; whether a name leads there is another matter.
        let made = self.0.state.borrow();
        disk.extend(made[disk.len()..].iter().map(|node| match node {
            Node::File(_) => Node::File(Vec::new()),
            Node::Folder(_) => Node::Folder(BTreeMap::new()),
        }));
        for (i, change) in log.iter().enumerate() {
            let is_synced = log[i..].iter().any(|later| syncs(later, change));
            replay(&mut disk, change, is_synced, keep);
        }
        tree(&disk)
    }

    fn make(&self, path: &Path, node: Node) -> io::Result<usize> {
        self.check()?;
        let at = self.entry(path)?;
        if self.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.0.state.borrow().len();
        self.0.state.borrow_mut().push(node);
        self.change(Change::Link { at, node: number });
        Ok(number)
    }

    fn change(&self, change: Change) {
        apply(&mut self.0.state.borrow_mut(), &change);
        self.0.log.borrow_mut().push(change);
    }

    /// Counts a call; `Some` where it is to fail.
    fn call(&self) -> Option<Fault> {
        let call = self.0.calls.get();
        self.0.calls.set(call + 1);
        self.0.fault.get().filter(|(due, _)| *due == call).map(|(_, fault)| fault)
    }

    fn check(&self) -> io::Result<()> {
        match self.call() {
            Some(Fault::Error(kind)) => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn flip(&self, node: usize, bit: usize) {
        if let Node::File(bytes) = &mut self.0.state.borrow_mut()[node] {
            let at = bit / 8 % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let state = self.0.state.borrow();
        path.components().skip(1).try_fold(ROOT, |node, part| match &state[node] {
            Node::Folder(names) => names.get(part.as_os_str()).copied(),
            Node::File(_) => None,
        })
    }

    fn existing(&self, path: &Path) -> io::Result<usize> {
        self.find(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let folder = self.existing(path.parent().unwrap())?;
        Ok(Entry { folder, name: path.file_name().unwrap().into() })
    }

    fn kind_of(&self, path: &Path) -> Option<Kind> {
        self.find(path).map(|node| match self.0.state.borrow()[node] {
            Node::File(_) => Kind::File,
            Node::Folder(_) => Kind::Folder,
        })
    }
}

/// Whether `sync`, which comes later, makes `change` last.
fn syncs(sync: &Change, change: &Change) -> bool {
    match (sync, change) {
        (Change::SyncFile { node }, Change::Write { node: written, .. }) => node == written,
        (
            Change::SyncFolder { folder },
            Change::Link { at, .. }
            | Change::Remove { at }
            | Change::Rename { to: at, .. }
            | Change::Exchange { b: (at, _), .. },
        ) => *folder == at.folder,
        _ => false,
    }
}

/// A change on a disk: as it was made if it was synced, else as far as `keep` says.
fn replay(disk: &mut State, change: &Change, is_synced: bool, keep: &mut dyn FnMut() -> bool) {
    match change {
        Change::Write { node, at, bytes } if !is_synced => {
            let mut start = 0;
            while start < bytes.len() {
                let end = (start + SECTOR - (at + start) % SECTOR).min(bytes.len());
                if keep() {
                    let (at, bytes) = (at + start, bytes[start..end].to_vec());
                    apply(disk, &Change::Write { node: *node, at, bytes });
                }
                start = end;
            }
        }
        _ if is_synced || keep() => apply(disk, change),
        _ => {}
    }
}

fn apply(state: &mut State, change: &Change) {
    match change {
        Change::Link { at, node } => set(state, at, Some(*node)),
        Change::Write { node, at, bytes } => {
            let Node::File(content) = &mut state[*node] else { panic!("a folder is written to") };
            content.resize(content.len().max(at + bytes.len()), 0);
            content[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Change::Rename { from, to, node } => {
            set(state, from, None);
            set(state, to, Some(*node));
        }
        Change::Exchange { a: (a, first), b: (b, second) } => {
            set(state, a, Some(*second));
            set(state, b, Some(*first));
        }
        Change::Remove { at } => set(state, at, None),
        Change::SyncFile { .. } | Change::SyncFolder { .. } => {}
    }
}

fn set(state: &mut State, at: &Entry, node: Option<usize>) {
    let Node::Folder(names) = &mut state[at.folder] else { panic!("a name in a file") };
    match node {
        Some(node) => names.insert(at.name.clone(), node),
        None => names.remove(&at.name),
    };
}

fn tree(state: &State) -> Tree {
    fn add(state: &State, node: usize, at: &Path, tree: &mut Tree) {
        match &state[node] {
            Node::File(bytes) => {
                tree.insert(at.into(), bytes.clone());
            }
            Node::Folder(names) => {
                tree.insert(at.into(), Vec::new());
                names.iter().for_each(|(name, &node)| add(state, node, &at.join(name), tree));
            }
        }
    }
    let mut found = Tree::new();
    add(state, ROOT, Path::new("/"), &mut found);
    found
}

struct MemoryFile {
    memory: Memory,
    node: usize,
    position: u64,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = match self.memory.call() {
            Some(Fault::Error(kind)) => return Err(kind.into()),
            Some(Fault::ShortWrite) => &bytes[..bytes.len().saturating_sub(1).max(1)],
            Some(Fault::Flip(_)) | None => bytes,
        };
        let at = self.position as usize;
        self.memory.change(Change::Write { node: self.node, at, bytes: bytes.to_vec() });
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.memory.check()
    }
}

impl Seek for MemoryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.memory.check()?;
        let state = self.memory.0.state.borrow();
        let Node::File(content) = &state[self.node] else { panic!("a folder is open") };
        let mut cursor = Cursor::new(content);
        cursor.set_position(self.position);
        self.position = cursor.seek(to)?;
        Ok(self.position)
    }
}

impl NewFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        let fault = self.memory.call();
        if let Some(Fault::Error(kind)) = fault {
            return Err(kind.into());
        }
        self.memory.change(Change::SyncFile { node: self.node });
        if let Some(Fault::Flip(bit)) = fault {
            self.memory.flip(self.node, bit);
        }
        Ok(())
    }
}

/// A file that is being read.
struct OpenFile {
    memory: Memory,
    bytes: Cursor<Vec<u8>>,
}

impl Read for OpenFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.memory.check()?;
        self.bytes.read(out)
    }
}

impl FileSystem for Memory {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        self.check()?;
        Ok(self.kind_of(path))
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.check()?;
        Ok(path.into())
    }

    fn create(&self, path: &Path, _like: Option<&Path>) -> io::Result<Box<dyn NewFile>> {
        let node = self.make(path, Node::File(Vec::new()))?;
        Ok(Box::new(MemoryFile { memory: self.clone(), node, position: 0 }))
    }

    fn create_folder(&self, path: &Path, _like: Option<&Path>) -> io::Result<()> {
        self.make(path, Node::Folder(BTreeMap::new())).map(|_| ())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        self.check()?;
        match &self.0.state.borrow()[self.existing(path)?] {
            Node::File(bytes) => {
                let bytes = Cursor::new(bytes.clone());
                Ok(Box::new(OpenFile { memory: self.clone(), bytes }))
            }
            Node::Folder(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        self.check()?;
        match &self.0.state.borrow()[self.existing(folder)?] {
            Node::Folder(names) => Ok(names.keys().cloned().collect()),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        let node = self.existing(from)?;
        if self.kind_of(to) == Some(Kind::Folder) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(Change::Rename { from: self.entry(from)?, to: self.entry(to)?, node });
        Ok(())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.find(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename(from, to)
    }

    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        self.check()?;
        if !self.can_exchange() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let one = |path| Ok::<_, io::Error>((self.entry(path)?, self.existing(path)?));
        self.change(Change::Exchange { a: one(a)?, b: one(b)? });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.existing(path)?;
        self.change(Change::Remove { at: self.entry(path)? });
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.change(Change::SyncFolder { folder: self.existing(path)? });
        Ok(())
    }
}
