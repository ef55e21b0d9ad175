// Package openflow decodes and encodes OpenFlow 1.3 messages.
//
// It is pure: bytes in, values out, and back. It opens nothing, starts nothing and reads no clock.
//
// # Decoding
//
// Every message type has a method Decode(msg []byte) error. msg is one whole message with its header and nothing behind
// it. Decode is strict about lengths, ignores the content of padding, allocates nothing when it succeeds (strings of
// port and switch descriptions and the data of an [Error] excepted), and never reads beyond msg. Byte slices in the
// result alias msg: whoever keeps them beyond the life of msg copies them. After an error the receiver's content is not
// specified. Failures are [*DecodeError] values which unwrap to [ErrShort], [ErrLength], [ErrVersion] or [ErrType].
//
// The entries of a multipart reply are walked from its Body, one call per entry:
//
//	for b := m.Body; len(b) > 0; {
//		var fs openflow.FlowStats
//		if fs, b, err = openflow.DecodeFlowStats(b); err != nil {
//			return err
//		}
//	}
//
// # Encoding
//
// Every message has a function AppendX(b []byte, xid uint32, ...) []byte, which appends one whole message to b and
// returns the longer slice, as append does.
//
// One rule holds for all of them: a message that cannot be encoded (it would be longer than [MaxLen], or a part given
// as bytes is malformed) is not appended at all, and b comes back with the length it had. Messages of fixed size cannot
// fail.
//
// # Adding a message
//
//  1. A file named after the message with the struct, its Decode and, when it is written by hand, its Append function;
//     in encode.go when libOpenflow writes it.
//  2. A golden in testdata taken from a real switch, with its source in the first line, and its case in golden_test.go.
//  3. The type in newMessage of golden_test.go, which brings truncation, allocation and fuzz tests with it, and its
//     Append function in encoders of append_test.go.
//  4. What the fake switch answers to it, in request of oftest/request.go, if a switch receives it.
package openflow
