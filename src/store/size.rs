//! How many bytes a row takes on the disk. The estimate is rather too high than too low, so that
//! the database never grows by more than what is counted.
//!
//! SQLite lays rows into pages. A row that does not fit into a page begins the next one, and the
//! rest of the first page stays free. That rest is at most as long as the row. A row that is longer
//! than a page continues in pages of its own.

/// The bytes of a page (SQLite's default).
const PAGE: usize = 4096;
/// The bytes of a page that hold rows.
const ROOM: usize = PAGE - 8;
/// The bytes of a page in which a long row continues.
const CONTINUED: usize = PAGE - 4;
/// The longest row that lies in one page (SQLite's file format, section 1.6).
const WHOLE: usize = PAGE - 35;
/// The least part of a longer row that lies in its first page (SQLite's file format, section 1.6).
const LEAST: usize = (PAGE - 12) * 32 / 255 - 23;
/// The least and the most bytes for ids, times, the row's header and its place in the page.
const ROW: [usize; 2] = [8, 64];
/// The bytes of an entry in an index, or in a table that is one: a few ids, in pages that may be
/// half full.
const ENTRY: usize = 40;

/// The bytes of a hash.
pub const HASH: usize = 32;
/// The most bytes of an address as text.
pub const ADDRESS: usize = 39;

/// The bytes of a text that may be missing.
pub fn length(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

/// The bytes of a row whose texts and hashes take `values` bytes and that has `entries` entries in
/// indexes.
pub fn of_row(values: usize, entries: usize) -> u64 {
    // A row that is just longer than a page may take less of it than a row that just fits.
    let row = ROW
        .map(|more| in_pages(values + more))
        .into_iter()
        .max()
        .unwrap_or_default();
    (row + entries * ENTRY) as u64
}

fn in_pages(row: usize) -> usize {
    let (local, pages) = if row <= WHOLE {
        (row, 0)
    } else {
        let local = LEAST + (row - LEAST) % CONTINUED;
        let local = if local <= WHOLE { local } else { LEAST };
        (local, (row - local).div_ceil(CONTINUED))
    };
    // Short rows leave at most a quarter of a page free, which is a third of what the page holds.
    let local = if local <= ROOM / 4 {
        local * 4 / 3
    } else {
        local * 2
    };
    local + pages * PAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open_in_memory;

    /// Fills a table like the log's, with rows of these lengths in turn. Returns the bytes that it
    /// takes and the bytes that were counted.
    fn fill(lengths: &[usize]) -> (u64, u64) {
        let database = open_in_memory();
        database
            .execute_batch(
                "CREATE TABLE logged (id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER, text TEXT);
                 CREATE TABLE addressed (target INTEGER, event INTEGER, PRIMARY KEY (target, event)) WITHOUT ROWID;",
            )
            .unwrap();
        let pages = || {
            database
                .pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
                .unwrap() as u64
        };
        let (before, mut counted) = (pages(), 0);
        for (n, length) in lengths.iter().cycle().take(3000).enumerate() {
            let event = "INSERT INTO logged (time, text) VALUES (1795000000000, ?1)";
            database.execute(event, ["x".repeat(*length)]).unwrap();
            let address = "INSERT INTO addressed VALUES (?1, ?2)";
            database
                .execute(address, [n as i64 % 20, database.last_insert_rowid()])
                .unwrap();
            counted += of_row(*length, 1);
        }
        ((pages() - before) * PAGE as u64, counted)
    }

    #[test]
    fn the_counted_bytes_are_the_used_ones_or_slightly_more() {
        for lengths in [
            &[10][..],
            &[100],
            &[500],
            &[1000],
            &[1400],
            &[2030],
            &[2100],
            &[4000],
            &[4096],
            &[4200],
            &[8100],
            &[30_000],
            &[3000, 10],
            &[4000, 200],
            &[10, 4096, 900],
        ] {
            let (taken, counted) = fill(lengths);
            assert!(
                taken <= counted,
                "{lengths:?}: {taken} bytes, {counted} counted"
            );
            assert!(
                counted <= 2 * taken + 3000 * 100,
                "{lengths:?}: {taken} bytes, {counted} counted"
            );
        }
    }
}
