//! Files that only the service may read: written whole or not at all, refused when others could have read them.
//!
//! What stands in them, keys, tokens and who is blocked, is the business of others.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory in which one running service keeps what must survive its restart.
///
/// It is held under a lock as long as this value lives, since two services that write one directory would each undo
/// what the other has kept.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Locked; the system frees it with the process, however that ends.
    _lock: File,
}

/// Why a private file or its directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The system refuses to do something with it.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner can read the file, or put another in its place.
    #[error(
        "{} has the mode {mode:04o}, so that others can read or replace what is secret; run `chmod {wanted} {}`",
        path.display(), path.display()
    )]
    TooOpen {
        /// Which file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What to give to chmod.
        wanted: &'static str,
    },
    /// Another process holds the directory.
    #[error("{} is in use by another running service; give each one a directory of its own", .0.display())]
    InUse(PathBuf),
}

impl StateDir {
    /// The directory at this path, which is made for its owner alone if it is not there.
    ///
    /// # Errors
    /// [`PrivateFileError`]: the directory cannot be made, others can write in it, or another service holds it.
    pub fn open(path: &Path) -> Result<Self, PrivateFileError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("make the directory", path))?;
        let mode = fs::metadata(path).map_err(failed("look at", path))?.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(PrivateFileError::TooOpen { path: path.into(), mode, wanted: "700" });
        }
        let place = path.join("lock");
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(&place);
        let lock = lock.map_err(failed("open", &place))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(PrivateFileError::InUse(path.into())),
            Err(fs::TryLockError::Error(source)) => {
                Err(PrivateFileError::Io { action: "lock", path: place, source })
            }
        }
    }

    /// Where the file of this name is, or would be.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// What the file holds; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, PrivateFileError> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(Some(bytes))
}

/// The file, to be read; `None` when there is none.
pub(super) fn open(path: &Path) -> Result<Option<File>, PrivateFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("open", path)(source)),
    };
    let mode = file.metadata().map_err(failed("look at", path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::TooOpen { path: path.into(), mode, wanted: "600" });
    }
    Ok(Some(file))
}

/// Replaces the file by one with these bytes, which only its owner can read.
///
/// Whoever reads it, also after a crash at any moment, finds the old bytes or the new ones.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write`], for what is written piece by piece.
pub(super) fn write_with(
    path: &Path,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), PrivateFileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &new)(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(&new).map_err(failed("make", &new))?;
    content(&mut file).and_then(|()| file.sync_all()).map_err(failed("write", &new))?;
    fs::rename(&new, path).map_err(failed("rename to", path))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|held| held.sync_all()).map_err(failed("make safe", directory))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivateFileError {
    let path = path.to_owned();
    move |source| PrivateFileError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_state_directory_and_what_is_written_in_it_are_its_owners_alone() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::open(&home.path().join("deep/state")).unwrap();
        let file = state.file("keys");
        assert_eq!(read(&file).unwrap(), None);
        write(&file, b"first").unwrap();
        write(&file, b"second").unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some(&b"second"[..]));
        assert_eq!((mode(&home.path().join("deep/state")), mode(&file)), (0o700, 0o600));
        let mut names: Vec<_> = fs::read_dir(home.path().join("deep/state"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["keys", "lock"], "nothing temporary is left");
    }

    #[test]
    fn what_a_crash_left_half_written_is_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("keys");
        fs::write(home.path().join("keys.new"), b"hal").unwrap();
        write(&file, b"whole").unwrap();
        assert_eq!(read(&file).unwrap().as_deref(), Some(&b"whole"[..]));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("keys");
        write(&file, b"secret").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let told = read(&file).unwrap_err().to_string();
        let shown = file.display();
        assert_eq!(
            told,
            format!(
                "{shown} has the mode 0640, so that others can read or replace what is secret; run `chmod 600 {shown}`"
            )
        );
    }

    #[test]
    fn a_directory_that_others_can_write_in_is_refused() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), PermissionsExt::from_mode(0o770)).unwrap();
        let refused = StateDir::open(home.path());
        assert!(
            matches!(refused, Err(PrivateFileError::TooOpen { mode: 0o770, wanted: "700", .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn one_service_at_a_time_holds_a_state_directory() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let first = StateDir::open(home.path()).unwrap();
        assert!(matches!(StateDir::open(home.path()), Err(PrivateFileError::InUse(_))));
        drop(first);
        StateDir::open(home.path()).unwrap();
    }
}
