package openflow

// SwitchDesc says in words what the switch is (spec 7.3.5.1). The texts are as the switch sent them, each up to its
// first zero byte, and are not checked for printable characters.
type SwitchDesc struct {
	Manufacturer string
	Hardware     string
	Software     string
	Serial       string
	Datapath     string // set by the switch's administrator
}

const switchDescLen = 3*256 + 32 + 256

// Decode reads the body of a [MultipartDesc] reply.
func (d *SwitchDesc) Decode(body []byte) error {
	if len(body) < switchDescLen {
		return &DecodeError{Message: "switch_desc", Offset: len(body), Err: ErrShort}
	}
	if len(body) > switchDescLen {
		return &DecodeError{Message: "switch_desc", Offset: switchDescLen, Err: ErrLength}
	}
	*d = SwitchDesc{
		Manufacturer: cString(body[:256]),
		Hardware:     cString(body[256:512]),
		Software:     cString(body[512:768]),
		Serial:       cString(body[768:800]),
		Datapath:     cString(body[800:]),
	}
	return nil
}

// AppendSwitchDesc appends the body of a [MultipartDesc] reply. Texts that are too long are cut.
func AppendSwitchDesc(b []byte, d *SwitchDesc) []byte {
	b = appendCString(b, d.Manufacturer, 256)
	b = appendCString(b, d.Hardware, 256)
	b = appendCString(b, d.Software, 256)
	b = appendCString(b, d.Serial, 32)
	return appendCString(b, d.Datapath, 256)
}
