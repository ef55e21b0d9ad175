package openflow

import "testing"

func BenchmarkDecodeFlowStats(b *testing.B) {
	entries := body(b, "multipart_flow", MultipartFlow)
	b.ReportAllocs()
	b.SetBytes(int64(len(entries)))
	for b.Loop() {
		if err := walkBody(MultipartFlow, entries); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend has what the hot path writes, and for comparison what libOpenflow encodes.
func BenchmarkAppend(b *testing.B) {
	all := encoders(b)
	for _, name := range []string{
		"flow mod", "packet out", "bundle add", "barrier request", "group mod", "meter mod",
		"bundle control",
	} {
		b.Run(name, func(b *testing.B) {
			f := all[name]
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if buf = f(buf[:0], 1); len(buf) == 0 {
					b.Fatal("not appended")
				}
			}
		})
	}
}
