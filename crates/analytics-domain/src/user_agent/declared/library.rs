//! Libraries and command-line tools for HTTP, load generators among them.
//!
//! A token with `^` counts only at the start of an agent, since elsewhere it is an ordinary word.

/// Tokens in the order of the alphabet.
#[rustfmt::skip]
pub(super) const TOKENS: &[&str] = &[
    "^akka-http", "^Alamofire", "^attohttpc", "^axios", "^Boost.Beast", "^Bun/", "^CakePHP", "^cpp-httplib",
    "^curl", "^Dart/", "^Deno/", "^Elixir", "^Embarcadero", "^Erlang", "^Faraday", "^fetch", "^finagle",
    "^Gatling", "^go-http", "^got", "^Haskell", "^hey/", "^http", "^HTTP-Tiny", "^http.client",
    "^HTTPClient/", "^httpx", "^hyper", "^isahc", "^Java", "^Java-http-client", "^Jetty", "^JMeter", "^k6",
    "^Lavf", "^libsoup", "^Locust", "^LWP", "^node", "^Perl", "^PHP", "^Poco", "^python-httpx/", "^Python/",
    "^Qt", "^request/", "^reqwest", "^RestTemplate", "^Ruby", "^Siege", "^Spring", "^superagent", "^surf/",
    "^Tesla", "^Thunder Client", "^Twisted", "^ureq", "^vegeta", "^vert.x", "^Wget", "^wrk", "^Zend",
    "AHC/", "aiohttp", "ALittle Client", "Amazon CloudFront", "AnyEvent", "AnyEvent-HTTP",
    "Apache-HttpAsyncClient", "Apache-HttpClient", "Apache-JMeter", "ApacheBench", "aria2",
    "AsyncHttpClient", "bruno-runtime", "BTWebClient", "colly", "Commons-HttpClient", "compatible; Synapse",
    "crawler4j", "CustomAsyncHttpClient", "Download Ninja", "Go-http-client", "Go-resty",
    "Google-HTTP-Java-Client", "GoParserBot", "GStreamer", "Guzzle", "GuzzleHttp", "gvfs", "hackney",
    "http-conduit", "http.rb", "http_get", "HTTP_Request", "HTTP_Request2", "httparty", "HTTPClient",
    "HTTPie", "httpunit", "HttpURLConnection", "HTTrack", "Indy Library", "insomnia",
    "Jakarta Commons-HttpClient", "Java(TM)", "Jetty/", "JoeDog/", "k6/", "Laminas_Http_Client", "larbin",
    "libcurl", "LibVLC", "libwww-perl", "livedoor HttpClient", "lua-requests", "lua-resty-http",
    "lwp-request", "lwp-trivial", "LWP::Simple", "Mechanize", "Microsoft URL Control", "Mojolicious",
    "needle/", "Net::HTTP", "newspaper/", "node-fetch", "node-superagent", "okhttp", "Pcore-HTTP",
    "PEAR HTTP_Request", "PECL::HTTP", "PHP-Curl-Class", "phpcrawl", "PostmanRuntime", "PowerShell",
    "PukiWiki", "PycURL", "python-httpx", "python-opengraph", "python-requests", "python-urllib",
    "python-urllib3", "rawweb-bot", "ReactorNetty", "rest-client", "RestSharp", "Rome Client",
    "Salesforce.com", "Scrapy", "SimpleCrawler", "sindresorhus/got", "Snoopy", "Swift-HTTP", "Symfony",
    "trafilatura", "Twisted PageGetter", "Typhoeus", "undici", "unirest-java", "Vert.x-WebClient", "Wget/",
    "Wget2", "WindowsPowerShell", "WinHttp", "WinHttp.WinHttpRequest", "Winhttprequest", "WinInet",
    "WWW-Mechanize", "xh/", "Zend_Http_Client",
];
