package datapath

import (
	"testing"
)

func TestAffectedVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"2.5.0": true, "2.16.9": true, "2.17.7": true, "2.17.8": false, "2.17.11": false, "3.0.0": true, "3.0.4": true,
		"3.0.5": false,
		"3.1.0": true, "3.1.2": true, "3.1.2-dirty": true, "3.1.3": false, "3.1.10": false, "3.2.0": false,
		"3.2.90": false, "3.7.1": false,
		"4.0.0": false, "10.1.0": false, "2.17": true, "": false, "none": false, "3": true, "3.1.": false,
		"-1.2.3": false,
	} {
		if got := affectedVersion(version); got != want {
			t.Errorf("%q: %v, want %v", version, got, want)
		}
	}
}
