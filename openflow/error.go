package openflow

import (
	"bytes"
	"fmt"
	"strings"
)

// errorDataMax bounds how much of an offending message an [Error] keeps, and [AppendError] sends. It is what a switch
// has to send at least (spec 7.4.4).
const errorDataMax = 64

// Error is an error message of the switch (spec 7.4.4). It is a Go error; errors.As finds it in a chain.
type Error struct {
	Type         uint16
	Code         uint16 // with ErrorTypeExperimenter the experimenter's own type
	Experimenter uint32 // id; 0 when Type is not ErrorTypeExperimenter
	Xid          uint32 // of the message that the switch complains about
	Data         []byte // a copy of the first bytes, at most 64, of that message, or text after a failed hello
}

const errorFixed = 12 // header, type and code

// Decode reads an error message. It allocates the copy of the data.
func (m *Error) Decode(msg []byte) error {
	if len(msg) < HeaderLen {
		return &DecodeError{Message: "error", Offset: len(msg), Err: ErrShort}
	}
	// A peer that does not speak our version says so in its own: a hello_failed of any version can be read.
	if e := checkHeaderAnyVersion(msg, TypeError, errorFixed); e != nil {
		return e
	}
	e := Error{Type: be.Uint16(msg[8:]), Code: be.Uint16(msg[10:]), Xid: be.Uint32(msg[4:])}
	if msg[0] != Version && e.Type != ErrorTypeHelloFailed {
		return &DecodeError{Message: "error", Err: ErrVersion}
	}
	data := msg[errorFixed:]
	if e.Type == ErrorTypeExperimenter {
		if len(data) < 4 {
			return &DecodeError{Message: "error", Part: "experimenter", Offset: len(msg), Err: ErrShort}
		}
		e.Experimenter = be.Uint32(data)
		data = data[4:]
	}
	if len(data) > 0 {
		e.Data = bytes.Clone(data[:min(len(data), errorDataMax)])
	}
	*m = e
	return nil
}

// RequestType returns the type of the message that the switch complains about; ok is false when it sent too little of
// it, or text instead.
func (m *Error) RequestType() (t Type, ok bool) {
	if m.Type == ErrorTypeHelloFailed || len(m.Data) < HeaderLen {
		return 0, false
	}
	return Type(m.Data[1]), true
}

// Error returns for example "switch error flow_mod_failed: table_full (flow_mod, xid 6)".
func (m *Error) Error() string {
	var s strings.Builder
	s.WriteString("switch error ")
	if m.Type == ErrorTypeExperimenter {
		s.WriteString(experimenterErrorName(m.Experimenter, m.Code))
	} else {
		s.WriteString(ErrorTypeName(m.Type) + ": " + ErrorCodeName(m.Type, m.Code))
	}
	s.WriteString(" (")
	if t, ok := m.RequestType(); ok {
		s.WriteString(t.String() + ", ")
	}
	fmt.Fprintf(&s, "xid %d)", m.Xid)
	if m.Type == ErrorTypeHelloFailed && len(m.Data) > 0 {
		fmt.Fprintf(&s, ": %q", cString(m.Data))
	}
	return s.String()
}

// AppendError appends an error message. data is the offending message, or text for a failed hello; at most its first 64
// bytes are sent.
func AppendError(b []byte, xid uint32, typ, code uint16, data []byte) []byte {
	data = data[:min(len(data), errorDataMax)]
	b = appendHeader(b, TypeError, errorFixed+len(data), xid)
	b = append(b, byte(typ>>8), byte(typ), byte(code>>8), byte(code))
	return append(b, data...)
}

// AppendExperimenterError appends an error message of an experimenter, such as [ExperimenterONF] with a bundle code.
func AppendExperimenterError(b []byte, xid, experimenter uint32, code uint16, data []byte) []byte {
	data = data[:min(len(data), errorDataMax)]
	b = appendHeader(b, TypeError, errorFixed+4+len(data), xid)
	b = append(b, 0xff, 0xff, byte(code>>8), byte(code))
	b = be.AppendUint32(b, experimenter)
	return append(b, data...)
}
