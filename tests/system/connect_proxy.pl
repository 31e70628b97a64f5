#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# connect_proxy.pl DIR [USER:PASSWORD]: an HTTP proxy that knows CONNECT and finds every host on this
# machine. Writes its port to DIR/port, and each request line with its verdict to DIR/log.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;

my ($dir, $credentials) = @ARGV;
my $wanted = defined $credentials ? 'Basic ' . encode_base64($credentials, '') : undef;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die "listen: $!";
open(my $log, '>>', "$dir/log") or die "log: $!";
$log->autoflush(1);
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';

sub tunnel {
	my ($left, $right) = @_;
	my $select = IO::Select->new($left, $right);
	while (my @ready = $select->can_read) {
		for my $from (@ready) {
			my $to = $from == $left ? $right : $left;
			my $n = sysread($from, my $data, 65536);
			return unless $n;
			for (my $sent = 0; $sent < $n;) {
				my $put = syswrite($to, $data, $n - $sent, $sent);
				return unless defined $put;
				$sent += $put;
			}
		}
	}
}

sub serve {
	my ($client) = @_;
	my $head = '';
	while ($head !~ /\r\n\r\n/) {
		return unless sysread($client, $head, 1, length $head);
	}
	my ($line) = $head =~ /^([^\r]*)/;
	my ($sent) = $head =~ /^Proxy-Authorization: ([^\r]*)/mi;
	if (defined $wanted && ($sent // '') ne $wanted) {
		print $log "$line -> 407\n";
		syswrite($client, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
			. "Content-Length: 0\r\n\r\n");
		return;
	}
	my ($port) = $line =~ /^CONNECT [^ ]*:(\d+) /;
	my $target = defined $port
		&& IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	print $log "$line -> ", $target ? 200 : 502, $head =~ /^Authorization:/mi ? " TOKEN" : '', "\n";
	if (!$target) {
		syswrite($client, "HTTP/1.1 502 Nobody\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	syswrite($client, "HTTP/1.1 200 Connected\r\n\r\n");
	tunnel($client, $target);
}

open(my $port, '>', "$dir/port.new") or die "port: $!";
print $port $server->sockport;
close $port;
rename "$dir/port.new", "$dir/port" or die "rename: $!";
while (my $client = $server->accept) {
	my $pid = fork;
	die "fork: $!" unless defined $pid;
	if ($pid == 0) {
		close $server;
		serve($client);
		exit 0;
	}
	close $client;
}
