// Package ofconn moves OpenFlow messages over one connection: it frames input and queues output, without an allocation
// per message and without ever blocking the writer.
//
// A Conn serves three callers at the same time, one of each: a reader (Fill and Next), a writer (Write, calls
// serialized by the caller), and the goroutine that runs Run. Close, Err and Queued may be called at any time.
//
// The package knows nothing of a message beyond the four header bytes that carry its version, type and length (OpenFlow
// 1.3.5 section 7.1.1).
package ofconn
