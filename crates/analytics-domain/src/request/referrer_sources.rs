//! Which hosts are search engines, social networks, mail hosts, AI assistants and referrer spam.
//!
//! The tables hold names that are common knowledge. Spam changes faster than code: a full list, such as the public
//! domain one that the Matomo project keeps (`matomo-org/referrer-spam-list`), is given as
//! [`SiteRules::spam_hosts`](super::SiteRules::spam_hosts).

use aho_corasick::AhoCorasick;
use alloc::string::String;
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::ReferrerSource;
use super::referrer::without_www;

/// Answers what kind of site a host is. A host counts with all its subdomains, the longest listed name first.
#[derive(Debug, Clone)]
pub(crate) struct SourceTable {
    /// By hash of the host in lower case. The order of a hash map is never seen here.
    hosts: HashMap<u64, ReferrerSource>,
    spam_words: AhoCorasick,
}

impl SourceTable {
    pub(crate) fn new(spam_hosts: &[String]) -> Self {
        let mut hosts: HashMap<u64, ReferrerSource> = spam_hosts
            .iter()
            .map(|host| (key(without_www(host.trim()).to_ascii_lowercase().as_bytes()), ReferrerSource::Spam))
            .collect();
        for (source, names) in HOSTS {
            hosts.extend(names.split_ascii_whitespace().map(|host| (key(host.as_bytes()), source)));
        }
        let spam_words = AhoCorasick::new(SPAM_WORDS.split_ascii_whitespace())
            .expect("a short list of words makes an automaton");
        Self { hosts, spam_words }
    }

    /// The kind of the site with this host, in lower case and without `www.`.
    pub(crate) fn of_host(&self, host: &[u8]) -> ReferrerSource {
        let mut suffix = host;
        loop {
            if let Some(source) = self.hosts.get(&key(suffix)) {
                return *source;
            }
            let Some(dot) = suffix.iter().position(|byte| *byte == b'.') else { break };
            suffix = &suffix[dot + 1..];
        }
        if let Some(source) = of_brand(host) {
            return source;
        }
        if self.spam_words.is_match(host) { ReferrerSource::Spam } else { ReferrerSource::Other }
    }
}

/// The kind of source that a `utm_source` in lower case names, by host (`chatgpt.com`) or by brand (`facebook`).
pub(crate) fn named_source(name: &[u8]) -> Option<ReferrerSource> {
    let name = name.strip_prefix(b"www.").unwrap_or(name);
    let listed = |lists: &[(ReferrerSource, &str)]| {
        lists.iter().find_map(|(source, names)| {
            names.split_ascii_whitespace().any(|known| known.as_bytes() == name).then_some(*source)
        })
    };
    if name.is_empty() {
        None
    } else if name.contains(&b'.') {
        listed(&HOSTS).or_else(|| of_brand(name))
    } else {
        listed(&NAMES)
    }
}

/// Brands that have one host per country, such as `google.co.uk`.
fn of_brand(host: &[u8]) -> Option<ReferrerSource> {
    let mut labels = host.rsplit(|byte| *byte == b'.');
    let top = labels.next()?;
    if top.len() != 2 && top != b"com" {
        return None;
    }
    let mut brand = labels.next()?;
    if top.len() == 2 && matches!(brand, b"co" | b"com" | b"org" | b"net" | b"ne" | b"or") {
        brand = labels.next()?;
    }
    let below = labels.next();
    match brand {
        b"google"
            if matches!(
                below,
                None | Some(b"news" | b"images" | b"scholar" | b"encrypted" | b"cse" | b"m")
            ) =>
        {
            Some(ReferrerSource::Search)
        }
        b"yahoo" if matches!(below, None | Some(b"search" | b"images")) => Some(ReferrerSource::Search),
        b"yandex" if matches!(below, None | Some(b"m" | b"images" | b"news")) => Some(ReferrerSource::Search),
        b"pinterest" => Some(ReferrerSource::Social),
        _ => None,
    }
}

fn key(host: &[u8]) -> u64 {
    xxh3_64(host)
}

/// Hosts by kind; each counts with its subdomains. Later lists win over earlier ones.
const HOSTS: [(ReferrerSource, &str); 5] = [
    (
        ReferrerSource::Spam,
        "4webmasters.org 7makemoneyonline.com acads.net adcash.com best-seo-offer.com best-seo-solution.com \
         bestwebsitesawards.com blackhatworth.com bot-traffic.icu bottraffic.live brakehawk.com cenoval.ru \
         copyrightclaims.org dailyrank.net darodar.com domination.ml e-buyeasy.com econom.co erot.co \
         event-tracking.com fbdownloader.com forum69.info gobongo.info googlsucks.com guardlink.org \
         hulfingtonpost.com humanorightswatch.org hundejo.com ilovevitaly.co ilovevitaly.com ilovevitaly.ru \
         iskalko.ru justprofit.xyz kabbalah-red-bracelets.com kambasoft.com lomb.co lombia.co luxup.ru musirc.com \
         nufaq.com o-o-6-o-o.com o-o-8-o-o.com online-hit.info openfrost.com pornogig.com priceg.com \
         quality-traffic.com ranksonic.info ranksonic.org savetubevideo.com screentoolkit.com search-error.com \
         see-your-website-here.com semalt.com semaltmedia.com sharebutton.net site-auditor.online sitevaluation.org \
         slftsdybbg.ru smailik.org socialseet.ru success-seo.com superiends.org tasteidea.com theguardlan.com \
         thesmartsearch.net torture.ml traffic-cash.xyz traffic2money.com trafficbot.life trafficbot4free.xyz \
         trafficmonetize.org uptimebot.net uptimechecker.com valegames.com videofrost.com \
         videos-for-your-business.com vodkoved.ru w3javascript.com webmonetizer.net website-analyzer.info \
         wordpress-crew.net xn--oogle-wmc.com xtrafficplus.com ykecwqlixx.ru zastroyka.org",
    ),
    (
        ReferrerSource::Search,
        "360.cn alohafind.com andisearch.com aol.com ask.com baidu.com bing.com brave.com coccoc.com daum.net dogpile.com \
         duckduckgo.com ecosia.org excite.com exalead.com fireball.de gigablast.com go.mail.ru goo.ne.jp haosou.com \
         infospace.com kagi.com lilo.org lycos.com marginalia.nu metacrawler.com metager.de metager.org mojeek.com \
         msn.com mysearch.com naver.com nova.rambler.ru onet.pl parsijoo.ir petalsearch.com presearch.com \
         privacywall.org qwant.com rambler.ru search.brave.com search.com search.lycos.com search.naver.com \
         search.seznam.cz searx.be searxng.org seznam.cz sm.cn so.com sogou.com startpage.com startsiden.no stract.com \
         suche.t-online.de suche.web.de swisscows.com toutiao.com virgilio.it walla.co.il webcrawler.com wp.pl ya.ru \
         you.com youdao.com zapmeta.com zhongsou.com \
         com.google.android.googlequicksearchbox com.google.android.apps.searchlite com.microsoft.bing \
         com.duckduckgo.mobile.android",
    ),
    (
        ReferrerSource::Social,
        "ask.fm badoo.com behance.net blogger.com bsky.app buff.ly classmates.com dcard.tw deviantart.com diaspora-fr.org \
         disco.com discord.com discordapp.com douban.com facebook.com fb.com fb.me flickr.com flipboard.com foursquare.com \
         getpocket.com goodreads.com habr.com hackernews.com hi5.com hootsuite.com instagram.com imgur.com instapaper.com \
         kakao.com last.fm lemmy.ml lemmy.world line.me linkedin.com lnkd.in lobste.rs livejournal.com mastodon.online \
         mastodon.social meetup.com messenger.com mixi.jp mstdn.jp mstdn.social myspace.com news.ycombinator.com \
         nextdoor.com odnoklassniki.ru ok.ru out.reddit.com pinboard.in pin.it plurk.com qzone.qq.com quora.com redd.it \
         reddit.com renren.com scoop.it skyrock.com slashdot.org snapchat.com stackexchange.com stackoverflow.com \
         stumbleupon.com t.co t.me tagged.com taringa.net telegram.org threads.com threads.net tiktok.com tumblr.com \
         twitch.tv twitter.com viadeo.com vimeo.com vk.com vk.ru vkontakte.ru weibo.cn weibo.com whatsapp.com wechat.com \
         wykop.pl x.com xing.com youtu.be youtube.com zalo.me zhihu.com \
         com.facebook.katana com.facebook.orca com.instagram.android com.linkedin.android com.pinterest \
         com.reddit.frontpage com.twitter.android com.zhiliaoapp.musically org.telegram.messenger com.whatsapp \
         com.laurencedawson.reddit_sync org.telegram.plus com.discord",
    ),
    (
        ReferrerSource::Email,
        "alerts.google.com deref-gmx.net deref-mail.com deref-web.de e.mail.ru email.t-online.de fastmail.com hey.com \
         inbox.com inbox.google.com list-manage.com mail.aol.com mail.google.com mail.live.com mail.naver.com \
         mail.proton.me mail.protonmail.com mail.qq.com mail.ru mail.seznam.cz mail.tutanota.com mail.yahoo.co.jp \
         mail.yahoo.com mail.yandex.com mail.yandex.ru mail.zoho.com mail.zoho.eu mailchi.mp navigator.gmx.net \
         navigator.web.de orangemail.orange.fr outlook.com outlook.live.com outlook.office.com outlook.office365.com \
         poczta.onet.pl poczta.wp.pl roundcube.net safelinks.protection.outlook.com substack.com superhuman.com \
         webmail.free.fr zimbra.free.fr \
         com.google.android.gm com.microsoft.office.outlook com.yahoo.mobile.client.android.mail \
         ch.protonmail.android",
    ),
    (
        ReferrerSource::AiAssistant,
        "aistudio.google.com bard.google.com character.ai chat.com chat.deepseek.com chat.mistral.ai chat.openai.com \
         chat.qwen.ai chat.z.ai chatglm.cn chatgpt.com claude.ai claude.com consensus.app copilot.cloud.microsoft \
         copilot.microsoft.com copilot.com deepseek.com doubao.com duck.ai edgeservices.bing.com elicit.com felo.ai \
         gemini.google.com genspark.ai grok.com iask.ai khoj.dev kimi.com kimi.moonshot.cn komo.ai lechat.mistral.ai \
         liner.com lmarena.ai m365.cloud.microsoft manus.im meta.ai monica.im notebooklm.google.com openai.com \
         openevidence.com perplexity.ai phind.com pi.ai poe.com tongyi.aliyun.com tongyi.com writesonic.com \
         yiyan.baidu.com yuanbao.tencent.com \
         com.openai.chatgpt ai.perplexity.app.android com.anthropic.claude com.google.android.apps.bard \
         com.microsoft.copilot",
    ),
];

/// Brands as they stand in `utm_source` without a host.
const NAMES: [(ReferrerSource, &str); 4] = [
    (
        ReferrerSource::Search,
        "baidu bing brave duckduckgo ecosia google kagi naver qwant seznam startpage yahoo yandex",
    ),
    (
        ReferrerSource::Social,
        "bluesky discord facebook facebook_page fb hackernews ig instagram linkedin lnkd mastodon pinterest quora \
         reddit slack snapchat social telegram threads tiktok tumblr twitter vk weibo whatsapp x xing youtube",
    ),
    (
        ReferrerSource::Email,
        "convertkit email e-mail gmail hubspot_email klaviyo mail mailchimp mailerlite newsletter outlook sendgrid \
         sendinblue substack",
    ),
    (
        ReferrerSource::AiAssistant,
        "chatgpt claude copilot deepseek gemini grok mistral openai perplexity phind poe",
    ),
];

/// Parts of host names that advertise traffic, rankings, gambling or pornography to whoever reads the reports. Each is long
/// enough not to fall inside an ordinary word.
const SPAM_WORDS: &str = "semalt buttons-for- share-button social-button free-traffic website-traffic traffic-for \
    trafficbot traffic-bot 4free- -seo. -seo- seo-offer seo-tips best-seo cheap-seo seo-service seo-platform \
    seo-analys backlink monetiz make-money makemoney earn-money easy-money money-online online-money get-rich \
    rank-check site-audit website-analy webmaster-tool-free casino kazino kasino 1xbet 1xslot vulkan- -vulkan joycasino \
    porno youporn xvideos sex-porn escort-girl viagra -cialis cialis- pharmacy-online online-pharmacy \
    buy-cheap cheap-essay essay-writ payday-loan binary-option forex-trad hydra-onion hydraruz onion-market";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn no_host_stands_under_two_kinds() {
        let mut hosts: Vec<&str> =
            HOSTS.iter().flat_map(|(_, names)| names.split_ascii_whitespace()).collect();
        let all = hosts.len();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(hosts.len(), all);
    }

    #[test]
    fn there_are_at_least_eleven_ai_assistants() {
        let assistants = HOSTS.iter().filter(|(source, _)| *source == ReferrerSource::AiAssistant);
        assert!(assistants.flat_map(|(_, names)| names.split_ascii_whitespace()).count() >= 11);
    }

    #[test]
    fn a_given_spam_host_is_spam_with_its_subdomains_and_never_hides_a_known_site() {
        let table = SourceTable::new(&["www.Junk.example".into(), "bing.com".into()]);
        assert_eq!(table.of_host(b"junk.example"), ReferrerSource::Spam);
        assert_eq!(table.of_host(b"a.junk.example"), ReferrerSource::Spam);
        assert_eq!(table.of_host(b"otherjunk.example"), ReferrerSource::Other);
        assert_eq!(table.of_host(b"bing.com"), ReferrerSource::Search);
    }

    #[test]
    fn country_hosts_of_a_brand_are_known_and_look_alikes_are_not() {
        let table = SourceTable::new(&[]);
        assert_eq!(table.of_host(b"google.com.br"), ReferrerSource::Search);
        assert_eq!(table.of_host(b"de.search.yahoo.com"), ReferrerSource::Search);
        assert_eq!(table.of_host(b"google.evil"), ReferrerSource::Other);
        assert_eq!(table.of_host(b"notgoogle.com"), ReferrerSource::Other);
        assert_eq!(table.of_host(b"specialist.example"), ReferrerSource::Other);
    }

    #[test]
    fn a_utm_source_names_a_host_or_a_brand() {
        assert_eq!(named_source(b"chatgpt.com"), Some(ReferrerSource::AiAssistant));
        assert_eq!(named_source(b"www.google.de"), Some(ReferrerSource::Search));
        assert_eq!(named_source(b"facebook"), Some(ReferrerSource::Social));
        assert_eq!(named_source(b"partner"), None);
        assert_eq!(named_source(b""), None);
    }
}
