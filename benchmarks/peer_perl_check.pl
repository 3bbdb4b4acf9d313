#!/usr/bin/perl
# What the usual Perl plugin does: contextCSN of both servers, the value of one server ID, difference of whole seconds.
# For benchmarks/check.py. perl peer_perl_check.pl BASE PROVIDER CONSUMER
use strict;
use warnings;
use Net::LDAP;
use Time::Local;

my ($base, @uris) = @ARGV;
my @times;
for my $uri (@uris) {
    my $ldap = Net::LDAP->new($uri) or die "no connection to $uri\n";
    my $answer = $ldap->search(base => $base, scope => 'base', filter => '(objectClass=*)', attrs => ['contextCSN']);
    my ($csn) = grep { /#001#/ } $answer->entry(0)->get_value('contextCSN');
    my ($year, $month, @rest) = $csn =~ /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/;
    my ($day, $hour, $minute, $second) = @rest;
    push @times, timegm($second, $minute, $hour, $day, $month - 1, $year);
    $ldap->unbind;
}
printf "OK - %d seconds\n", abs($times[0] - $times[1]);
