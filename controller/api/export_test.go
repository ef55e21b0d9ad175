package api

// NewErrorLog is for tests.
var NewErrorLog = newErrorLog
