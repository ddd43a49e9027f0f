module github.com/omconnect/omconnect

go 1.26.0
