#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# rogue_agent.pl DIR PATH: somebody who took the port of the Arc agent and wants to have PATH read out.
# Writes its port to DIR/port and the heads of all requests to DIR/log.
use strict;
use warnings;
use IO::Handle;
use IO::Socket::INET;

my ($dir, $path) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "listen: $!";
open(my $log, '>>', "$dir/log") or die "log: $!";
$log->autoflush(1);
open(my $port, '>', "$dir/port.new") or die "port: $!";
print $port $server->sockport;
close $port;
rename "$dir/port.new", "$dir/port" or die "rename: $!";
while (my $client = $server->accept) {
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		last unless sysread($client, $head, 1, length $head);
	}
	print $log $head;
	syswrite($client, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=$path\r\n"
		. "Content-Length: 0\r\nConnection: close\r\n\r\n");
	close $client;
}
