// Package packet reads and writes the frames that travel in packet-in and packet-out messages.
//
// Reading: a ParseX function checks the lengths of its header once and returns a view of the bytes, which it does not
// copy; after that the getters need no checks. Nothing is allocated. A view of a header that failed to parse must not
// be used.
//
// Writing: an AppendX function appends to b and returns the longer slice. When the fields cannot be written (an address
// of the wrong family, a payload too long) it appends nothing.
//
// The package is pure: no I/O, no clock.
package packet

import "encoding/binary"

var be = binary.BigEndian
