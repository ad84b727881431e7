#!/usr/bin/perl

# The supervisors' console: what nginx serves of it, and the page itself in
# Chromium.

use strict;
use warnings;

use Test::More;

use lib 't/lib';
use Voice;
use Voice::Browser;

my $voice = Voice->start(processes => 2);
my $owner = $voice->tenant('acme');
my $console = "$voice->{base_url}/console/";
my $browser;

served();

if (my $why = Voice::Browser::absent()) {
    SKIP: { skip $why, 1 }
    $voice->finish;
    exit;
}

$browser = Voice::Browser->start;

log_in();

$browser->quit;
$voice->finish;


# --- what nginx serves ----------------------------------------------------

sub served {
    my $page = $voice->request('GET', '/console/');
    my $policy = $page->{headers}{'content-security-policy'};

    is($page->{status}, 200, 'the page is there');
    like($policy, qr/^default-src 'none'; script-src 'self'; /,
         'its policy lets no script but its own run');
    unlike($policy, qr/unsafe|\*|https?:|data:/, 'without an exception');
    is($page->{headers}{'cache-control'}, 'no-cache', 'asked for again');
    is($page->{headers}{'x-content-type-options'}, 'nosniff', 'not guessed');

    my $again = $voice->request('GET', '/console/', headers => {
        'If-None-Match' => $page->{headers}{etag} });
    is($again->{status}, 304, 'and not sent again where it is the same');

    my @files = $page->{content} =~ /(?:src|href)="([^"#]+)"/g;
    is(join(' ', grep { m{//|^/} } @files), '',
       'it asks for nothing from elsewhere');
    my %type = (js => 'application/javascript', css => 'text/css',
                svg => 'image/svg+xml');
    for my $path (map { m{([^/]+)$} } glob "$Voice::ROOT/web/console/*.*s*") {
        my ($ending) = $path =~ /\.(\w+)$/;
        my $file = $voice->request('GET', "/console/$path");
        like("$file->{status} $file->{headers}{'content-type'}",
             qr/^200 \Q$type{$ending}\E/, "$path has its type");
        is($file->{headers}{'content-security-policy'}, $policy,
           "$path: and the policy") if $ending eq 'svg';
    }
    unlike($page->{content}, qr/<script>|<style|\sstyle=|\son\w+=/i,
           'nothing in it is inline');

    my $none = $voice->request('GET', '/console/none.js');
    is("$none->{status} $none->{json}{error}{code}",
       '404 RESOURCE_NOT_FOUND', 'what is not there is 404');
    my $bare = HTTP::Tiny->new(max_redirect => 0)
        ->get("$voice->{base_url}/console");
    is("$bare->{status} $bare->{headers}{location}", "308 $console",
       'without its slash it is told where it is');
}


# --- the page -------------------------------------------------------------

sub log_in {
    ok($browser->open($console), 'Chromium loads the page');
    ok($browser->wait_js(visible('#login')), 'which asks for a login');

    fill_login('wrong');
    ok($browser->wait_js(q{document.querySelector('#login-error')
        .textContent !== ''}), 'a wrong password is told');
    $voice->forgive;
    complaints(qr/\b401\b/, 'one refusal');

    fill_login($owner->{password});
    ok($browser->wait_js(visible('#console')), 'the right one opens it');
    is($browser->js(text('#tenant')), 'acme', 'for the tenant');
}


# --- small things ---------------------------------------------------------

sub fill_login {
    my ($password) = @_;

    $browser->fill('#email', $owner->{email});
    $browser->fill('#password', $password);
    $browser->click('#login-form button');
}


sub complaints {
    my ($allowed, $what) = @_;

    my @complaints = grep { !$allowed || !/$allowed/ }
        $browser->complaints;

    is(join("\n", @complaints), '', "the browser complains of $what");
}


sub text { return "document.querySelector('$_[0]').textContent" }
sub visible { return "!document.querySelector('$_[0]').hidden" }
