package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A Frame as it was on the link, from its Ethernet header on, 802.1Q tags included.
type Frame struct {
	Time time.Time
	Data []byte
}

// readPcap reads a file that may still be written to: an incomplete last record is left out.
func readPcap(data []byte) ([]Frame, error) {
	const fileHeader, recordHeader, maxFrame = 24, 16, 1 << 18
	if len(data) < fileHeader {
		return nil, nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if order.Uint32(data) != 0xa1b2c3d4 {
		order = binary.BigEndian
	}
	if order.Uint32(data) != 0xa1b2c3d4 {
		return nil, errors.New("not a pcap file with microseconds")
	}
	if link := order.Uint32(data[20:]); link != 1 {
		return nil, fmt.Errorf("link type %d is not Ethernet", link)
	}
	var frames []Frame
	for rest := data[fileHeader:]; len(rest) >= recordHeader; {
		size := int(order.Uint32(rest[8:]))
		if size > maxFrame {
			return nil, fmt.Errorf("frame of %d bytes", size)
		}
		if len(rest) < recordHeader+size {
			break
		}
		at := time.Unix(int64(order.Uint32(rest)), int64(order.Uint32(rest[4:]))*1000)
		frames = append(frames, Frame{at, rest[recordHeader : recordHeader+size]})
		rest = rest[recordHeader+size:]
	}
	return frames, nil
}
