// Package hostile holds a test that misbehaves towards a running eosin in every way that is known, and looks after each
// that the program is well: it answers, lets a good switch in, answers that one's echo, and has not grown.
//
//	go test ./test/hostile                                      # as a part of make test
//	EOSIN_BIN=bin/eosin go test ./test/hostile                  # a binary that is there, also one built with -race
//	HOSTILE_FOR=10m HOSTILE_SEED=7 go test ./test/hostile       # the random cases for longer, and others
package hostile
