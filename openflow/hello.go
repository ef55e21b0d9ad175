package openflow

// helloVersionBitmap is the only hello element that is defined (spec 7.5.1).
const helloVersionBitmap = 1

// Hello opens a connection (spec 7.5.1).
type Hello struct {
	Version   uint8  // of the header: the highest that the peer speaks
	HasBitmap bool   // the peer sent a version bitmap
	Bitmap    uint32 // bit v set: the peer speaks version v; of the first bitmap word, versions 0 to 31
}

// Decode reads a hello of any version. The body of a hello below 1.3 means nothing and is skipped, as are elements of
// unknown type.
func (m *Hello) Decode(msg []byte) error {
	if len(msg) < HeaderLen {
		return &DecodeError{Message: "hello", Offset: len(msg), Err: ErrShort}
	}
	if e := checkHeaderAnyVersion(msg, TypeHello, HeaderLen); e != nil {
		return e
	}
	*m = Hello{Version: msg[0]}
	if m.Version < Version {
		return nil
	}
	for i, n := HeaderLen, 1; i < len(msg); n++ {
		size, e := cutElement(msg, i, 4, "element", n)
		if e != nil {
			return e.in("hello", 0)
		}
		if be.Uint16(msg[i:]) == helloVersionBitmap {
			if size < 8 || size%4 != 0 {
				return &DecodeError{Message: "hello", Part: "element", Index: n, Offset: i + 2, Err: ErrLength}
			}
			m.HasBitmap = true
			m.Bitmap = be.Uint32(msg[i+4:])
		}
		i += pad8(size)
	}
	return nil
}

// Supports reports whether version v can be spoken with a peer that sent this hello, when v is the highest version on
// our side (spec 6.3.1): with a bitmap its bit decides; without one the lower of the two header versions is spoken.
func (m *Hello) Supports(v uint8) bool {
	if m.HasBitmap {
		return v < 32 && m.Bitmap>>v&1 == 1
	}
	return m.Version >= v
}

// AppendHello appends a hello that offers OpenFlow 1.3 and nothing else, with version bitmap.
func AppendHello(b []byte, xid uint32) []byte {
	b = appendHeader(b, TypeHello, 16, xid)
	b = append(b, 0, helloVersionBitmap, 0, 8)
	return be.AppendUint32(b, 1<<Version)
}
