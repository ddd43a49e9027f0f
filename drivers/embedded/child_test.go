package embedded_test

import "os"

// children are what this test binary does when it is started as a process of
// its own.
var children = map[string]func(){}

func childName() string { return os.Getenv("OMCONNECT_TEST_CHILD") }
