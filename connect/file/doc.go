// Package file has the connectors for files: file-source reads the lines, JSON
// lines or CSV rows of one, file-sink appends to one.
//
// # Records of file-source
//
//   - lines: a record is a line without its newline, byte for byte: a carriage
//     return before the newline stays, and an empty line is an empty body. What
//     file-sink writes with this format is read back equal.
//   - json: a record is a line that is valid JSON, as it stands there, without
//     its newline or CR LF. Blank lines and a byte order mark are skipped.
//   - csv: RFC 4180 with commas, quotes where needed, and line breaks within
//     quotes. The first row names the fields; every other row becomes a JSON
//     object of strings in the order of the header. Blank lines and a byte
//     order mark are skipped.
//
// A malformed record, and one over max.line.bytes, is an error that names file
// and line. Nothing is skipped: the source stands there until the file or the
// configuration is mended.
//
// A last line without a newline is a record when the file is not followed.
// Should it have grown when the source goes on later, the whole line is read
// again. A followed file's last line waits for its newline.
//
// # Positions
//
// The partition is {"file":path}, with the absolute path; a position is
//
//	{"id":"fd01-2c4-1024-9ae16a3b2f90404f","line":12,"offset":3456}
//
// with the number of lines and bytes before the next record. The id has the
// device, the inode, and how many of the file's first bytes (of those that were
// read, up to 1024) have which hash, so that another file under the same name
// is noticed. A position set by hand may leave out all but the offset. tail
// is added behind a last line without a newline: its length.
//
// # Following
//
// A file that is renamed is read to its end, and for a second more in case
// that its writer has not noticed, before the one that took its name is read
// from the beginning. When that happened while the source was not running, the
// renamed file is looked for in its folder, among those whose names begin as
// its own; those that had the name in between are not. A file that is
// truncated, or truncated and written anew, is read from its beginning; that,
// and everything else that may have cost lines, is logged as a warning. A file
// rewritten with the same inode, the same first 1024 bytes and at least the
// same length cannot be told from one that has grown.
//
// # Durability of file-sink
//
// Put appends a batch with one write and syncs it before it returns. While it
// runs, a note beside the file (its name and .omc) says up to where the file
// was whole and whose it was. After a crash the sink cuts off a last line
// without a newline, if it lies behind what was noted: only the sink can have
// left it. Whole lines stay, though their batch is put again. In a file of
// other origin a last line without a newline is not cut but ended.
//
// The file is locked while the sink runs. One that was moved away or deleted
// is begun anew.
package file
