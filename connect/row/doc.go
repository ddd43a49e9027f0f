// Package row is the form in which a row of a database travels as a message,
// so that any database that has the row's types gets back exactly what another
// one gave.
//
// The body is a JSON object that a human can read:
//
//	{"form":1,
//	 "schema":{"table":"orders","columns":[
//	   {"name":"id","type":"int64","key":true},
//	   {"name":"placed","type":"timestamp"},
//	   {"name":"note","type":"text"}]},
//	 "row":{"id":7,"placed":"2024-02-29T12:30:00.250","note":null}}
//
// A value of its column's type is written plainly. Databases with loose types
// hold others too: such a value is an object with one member, named by its
// own type, as in {"text":"about noon"}. These are the types and their plain
// forms:
//
//	int64        7, and "9007199254740993" where a JSON reader could round it
//	float64      7.0, 1e+300, "Infinity", "-Infinity", "NaN"
//	decimal      "12.50": any number of digits, none is lost
//	boolean      true
//	text         "abc"; bytes that are not UTF-8 are {"rawtext":"<base64>"}
//	bytes        "<base64>"
//	date         "2024-02-29"
//	time         "12:30:00.250", with the digits that the database had
//	timestamp    "2024-02-29T12:30:00.250", in no particular time zone
//	timestamptz  "2024-02-29T12:30:00.250+02:00" or with Z
//	any          no type: text, boolean, numbers that JSON keeps are plain
//	             (7 is an int64, 7.0 a float64), all others say their type
//
// NULL is null in every column, and differs from "" in all of them.
//
// The message's key is an object of the key columns alone, sorted by name and
// without white space, its values as in a column of type any: the key itself
// says that {"id":1} and {"id":"1"} are two rows. A message with that key and
// no body is the deletion of the row.
package row
