//! Opening the file: its folder, its settings, its schema; and setting a damaged one aside.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use flasher_core::clock;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{Error as MigrationError, MigrationDefinitionError};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::schema::MIGRATIONS;
use crate::{Ledger, LedgerError, Result};

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(10);
/// How long to wait before the lock is tried again.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// Reads every column that the ledger reads or adds up.
const READ: [&str; 4] = [
    "SELECT id, sha256, begun, seconds, job, verdict, class, cause, exporter, node, host, user, source, image, target, medium, \
     bytes_written, packed_bytes, json FROM receipts",
    "SELECT id, key, identified_by, name, size, place, first_seen, last_seen, jobs, bytes_written, proven_image, proven_at, \
     last_write_rate, slowest_write_rate, ranges_read_back_wrong, failed_jobs, fake_capacity_jobs, worn_percent, spare_blocks \
     FROM media",
    "SELECT id, sha256, source_sha256, name, length, first_used, last_used, jobs, packed_bytes, ranges FROM images",
    "SELECT id, exporter, node, host, first_job, last_job, jobs, failed_jobs, seconds, last_verdict, last_image FROM boards",
];
/// What SQLite keeps beside a file in WAL mode.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

impl Ledger {
    /// The ledger for a process that writes: made when there is none, brought to this version's schema.
    pub(crate) fn open(&self) -> Result<Connection> {
        self.make()?;
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        self.set_up(&mut connection)?;
        Ok(connection)
    }

    /// Reads from the ledger; none when there is no file yet. A damaged one is set aside.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>> {
        let opened = self.open_to_read().and_then(|connection| {
            connection.map(|connection| read(&connection).map_err(|why| self.error(why))).transpose()
        });
        match opened {
            Err(error) if error.is_damage() => match self.set_aside()? {
                Some(aside) => Err(LedgerError::SetAside { file: self.file.clone(), aside }),
                None => Err(error),
            },
            other => other,
        }
    }

    fn open_to_read(&self) -> Result<Option<Connection>> {
        match fs::metadata(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.folder_error(why)),
            // Also a reader may have to bring an older schema to this version.
            Ok(about) if about.len() == 0 || !about.permissions().readonly() => self.open().map(Some),
            Ok(_) => self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY).map(Some),
        }
    }

    /// Gives the damaged file another name, with what is beside it, so that a new one can be begun. Gives that name; none when
    /// another process has done so meanwhile.
    pub(crate) fn set_aside(&self) -> Result<Option<PathBuf>> {
        let _alone = self.lock()?;
        match self.open().and_then(|connection| self.check(&connection)) {
            Err(error) if error.is_damage() => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(None),
        }
        let time: String =
            clock::milliseconds(SystemTime::now()).chars().filter(char::is_ascii_alphanumeric).collect();
        let name = |path: &Path, end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let aside = name(&self.file, &format!(".unreadable-{time}"));
        for end in BESIDE {
            match fs::rename(name(&self.file, end), name(&aside, end)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(|why| self.folder_error(why))?,
            }
        }
        Ok(Some(aside))
    }

    /// Makes folder and file for this user alone.
    fn make(&self) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|why| LedgerError::Folder { path: folder.to_owned(), why })?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.file);
        file.map(drop).map_err(|why| self.folder_error(why))
    }

    fn connect(&self, access: OpenFlags) -> Result<Connection> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags).map_err(|why| self.error(why))?;
        connection.busy_timeout(BUSY).map_err(|why| self.error(why))?;
        Ok(connection)
    }

    fn set_up(&self, connection: &mut Connection) -> Result<()> {
        // Readers and one writer do not wait for each other, and a kill at any moment leaves a sound file. A receipt is on the
        // disk when `keep` comes back. Pages of receipts that have gone can be given back.
        let settings = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
        connection.execute_batch(settings).map_err(|why| self.error(why))?;
        MIGRATIONS.to_latest(connection).map_err(|error| self.migration_error(error))
    }

    /// Looks at the whole file.
    fn check(&self, connection: &Connection) -> Result<()> {
        let verdict: String = connection
            .query_row("PRAGMA quick_check (1)", [], |row| row.get(0))
            .map_err(|why| self.error(why))?;
        if verdict != "ok" {
            return Err(self.error(damage(verdict)));
        }
        // The names of tables and columns are text that SQLite cannot check.
        let tables = READ.iter().try_for_each(|statement| connection.prepare(statement).map(drop));
        tables.map_err(|why| self.error(damage(why.to_string())))
    }

    /// Keeps other processes from setting the file aside at the same time.
    #[allow(clippy::disallowed_methods, reason = "the ledger blocks by its contract, and its callers know")]
    fn lock(&self) -> Result<File> {
        let path = self.file.with_extension("lock");
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = open.map_err(|why| LedgerError::Folder { path: path.clone(), why })?;
        let until = Instant::now() + BUSY;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK) if Instant::now() < until => std::thread::sleep(BETWEEN_TRIES),
                Err(why) => return Err(LedgerError::Folder { path, why: why.into() }),
            }
        }
    }

    pub(crate) fn error(&self, why: rusqlite::Error) -> LedgerError {
        LedgerError::Database { file: self.file.clone(), why }
    }

    fn folder_error(&self, why: io::Error) -> LedgerError {
        LedgerError::Folder { path: self.file.clone(), why }
    }

    fn migration_error(&self, error: MigrationError) -> LedgerError {
        match error {
            MigrationError::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
                LedgerError::Newer(self.file.clone())
            }
            MigrationError::RusqliteError { err, .. } => self.error(err),
            // A `user_version` that no version of ours has written.
            other => self.error(damage(other.to_string())),
        }
    }
}

/// What is no ledger, as SQLite would say it.
fn damage(text: String) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(text))
}
