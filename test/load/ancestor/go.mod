module github.com/eosin-sdn/eosin/test/load/ancestor

go 1.26.0

require (
	github.com/Sirupsen/logrus v1.0.6
	github.com/contiv/libOpenflow v0.0.0-20171005064533-cb1835d1c11f
	github.com/contiv/ofnet v0.0.0-20180104211757-c080e5b6e9be
	github.com/streamrail/concurrent-map v0.0.0-20160823150647-8bf1e9bacbf6
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
)
