package importer

import "github.com/postroom/postroom/post"

// Shorthands of the table below.
var (
	videoType = wishes{"post": "", "feed": "", "image": "", "video": "", "carousel": "", "reel": "instagram.videoType:REELS", "reels": "instagram.videoType:REELS", "story": "instagram.videoType:STORIES", "stories": "instagram.videoType:STORIES"}
	feedOnly  = wishes{"post": "", "feed": "", "text": "", "link": "", "image": "", "video": "", "photo": ""}
	audience  = wishes{"public": "youtube.privacy:public", "unlisted": "youtube.privacy:unlisted", "private": "youtube.privacy:private"}
	viewers   = wishes{"public_to_everyone": "tiktok.viewerSetting:PUBLIC_TO_EVERYONE", "public": "tiktok.viewerSetting:PUBLIC_TO_EVERYONE", "everyone": "tiktok.viewerSetting:PUBLIC_TO_EVERYONE",
		"mutual_follow_friends": "tiktok.viewerSetting:MUTUAL_FOLLOW_FRIENDS", "friends": "tiktok.viewerSetting:MUTUAL_FOLLOW_FRIENDS",
		"follower_of_creator": "tiktok.viewerSetting:FOLLOWER_OF_CREATOR", "followers": "tiktok.viewerSetting:FOLLOWER_OF_CREATOR",
		"self_only": "tiktok.viewerSetting:SELF_ONLY", "private": "tiktok.viewerSetting:SELF_ONLY", "only me": "tiktok.viewerSetting:SELF_ONLY"}
	videoTitle = wishes{"*": "youtube.title:*"}
)

// allows and forbids say what a box means that is ticked or not.
func allows(setting string) wishes {
	return wishes{"true": setting + ":true", "yes": setting + ":true", "1": setting + ":true", "false": setting + ":false", "no": setting + ":false", "0": setting + ":false"}
}

func forbids(setting string) wishes {
	return wishes{"true": setting + ":false", "yes": setting + ":false", "1": setting + ":false", "false": setting + ":true", "no": setting + ":true", "0": setting + ":true"}
}

// extra are columns that hold what no field of a post does.
func extra(names ...string) []formColumn {
	var out []formColumn
	for _, n := range names {
		out = append(out, formColumn{name: n, as: fieldExtra})
	}
	return out
}

func columnsOf(parts ...[]formColumn) []formColumn {
	var out []formColumn
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// forms are the bulk files of other tools, as their own templates and the public
// generators of such files write them (INGEST Part 3). Of forms that fit a file
// equally well the first counts, so the narrower stand before the wider.
var forms = []form{
	{
		tool: "publer", name: "Publer",
		marks: []string{"date text link mediaurl"},
		columns: []formColumn{
			{name: "Date - Intl. format or prompt", as: fieldWhen},
			{name: "Text", as: fieldContent},
			{name: "Link(s) - Separated by comma for FB carousels", also: "links", as: fieldLink},
			{name: "Media URL(s) - Separated by comma", also: "mediaurls", as: fieldMedia},
			{name: "Title - For the video, pin, PDF ..", as: fieldTitle},
			{name: "Label(s) - Separated by comma", also: "labels", as: fieldLabels},
			{name: "Alt text(s) - Separated by ||", also: "alttexts", as: fieldAlt},
			{name: "Comment(s) - Separated by ||", also: "comments", as: fieldComment},
			{name: "Pin board, FB album, or Google category", as: fieldExtra},
			{name: "Post subtype - I.e. story, reel, PDF ..", as: fieldExtra, words: videoType, loud: true},
			{name: "CTA - For Facebook links or Google", as: fieldExtra},
			{name: "Reminder - For stories, reels, shorts, and TikToks", as: fieldExtra},
		},
		relative: true, comments: "||", links: ",",
		write: writing{date: "2006-01-02 15:04", list: ",", labels: ",", blank: "in its next free slot"},
	},
	{
		tool: "publer", name: "Publer", kind: "the older six columns",
		marks: []string{"date message link labels"},
		columns: []formColumn{
			{name: "Date", as: fieldWhen},
			{name: "Message", as: fieldContent},
			{name: "Link", as: fieldLink},
			{name: "Photo/video URL", also: "photo video media photos mediaurl photourl", as: fieldMedia},
			{name: "Title", also: "captions", as: fieldTitle},
			{name: "Labels", also: "label", as: fieldLabels},
		},
		relative: true, links: ",",
	},
	{
		tool: "metricool", name: "Metricool",
		marks: []string{"text date time draft", "text date time pictureurl", "text date time shortener", "text date time firstcommenttext"},
		columns: columnsOf([]formColumn{
			{name: "Text", as: fieldContent},
			{name: "Date", as: fieldDate},
			{name: "Time", as: fieldTime},
			{name: "Draft", as: fieldDraft},
			{name: "Facebook", as: fieldOn, on: "facebook"},
			{name: "Twitter/X", also: "twitter x", as: fieldOn, on: "twitter"},
			{name: "LinkedIn", as: fieldOn, on: "linkedin"},
			{name: "GBP", also: "googlebusinessprofile googlebusiness", as: fieldOn, on: "google business profile"},
			{name: "Instagram", as: fieldOn, on: "instagram"},
			{name: "Pinterest", as: fieldOn, on: "pinterest"},
			{name: "TikTok", as: fieldOn, on: "tiktok"},
			{name: "Youtube", as: fieldOn, on: "youtube"},
			{name: "Threads", as: fieldOn, on: "threads"},
			{name: "Bluesky", as: fieldOn, on: "bluesky"},
			{name: "Picture Url #", as: fieldMedia, count: 10},
			{name: "Alt text picture #", as: fieldAlt, count: 10},
		}, extra("Document title", "Shortener", "Video Thumbnail Url", "Video Cover Frame", "Twitter/X Can reply"), []formColumn{
			{name: "Twitter/X Type", also: "twittertype", as: fieldExtra, on: "twitter", words: feedOnly, loud: true},
		}, extra("Twitter/X Poll Duration minutes"), []formColumn{
			{name: "Twitter/X Poll Option #", also: "twitterpolloption", as: fieldExtra, count: 4},
		}, extra("Pinterest Board"), []formColumn{
			{name: "Pinterest Pin Title", as: fieldTitle},
			{name: "Pinterest Pin Link", as: fieldLink},
		}, extra("Pinterest Pin New Format"), []formColumn{
			{name: "Instagram Post Type", as: fieldExtra, on: "instagram", words: videoType, loud: true},
			{name: "Instagram Show Reel On Feed", as: fieldExtra, words: wishes{"true": "", "yes": ""}},
			{name: "Youtube Video Title", as: fieldExtra, words: videoTitle},
			{name: "Youtube Video Type", as: fieldExtra, words: wishes{"video": "", "short": "", "shorts": ""}},
			{name: "Youtube Video Privacy", as: fieldExtra, on: "youtube", words: audience, loud: true},
		}, extra("Youtube video for kids", "Youtube Video Category", "Youtube Video Tags", "Youtube playlist"), []formColumn{
			{name: "GBP Post Type", as: fieldExtra, words: wishes{"publication": "", "post": ""}},
			{name: "Facebook Post Type", as: fieldExtra, on: "facebook", words: wishes{"post": "", "reel": ""}, loud: true},
			{name: "Facebook Title", as: fieldExtra},
			{name: "First Comment Text", as: fieldComment},
			{name: "TikTok Title", as: fieldExtra},
			{name: "TikTok disable comments", as: fieldExtra, words: forbids("tiktok.allowComments")},
			{name: "TikTok disable duet", as: fieldExtra, words: forbids("tiktok.allowDuet")},
			{name: "TikTok disable stitch", as: fieldExtra, words: forbids("tiktok.allowStitch")},
			{name: "TikTok Post Privacy", as: fieldExtra, on: "tiktok", words: viewers, loud: true},
			{name: "TikTok Branded Content", as: fieldExtra, words: allows("tiktok.brandedContent")},
			{name: "TikTok Your Brand", as: fieldExtra, words: allows("tiktok.brandOrganic")},
		}, extra("TikTok Auto Add Music", "TikTok Photo Cover Index", "TikTok musicId", "TikTok music title", "TikTok music author", "TikTok music previewUrl",
			"TikTok music thumbnailUrl", "TikTok music soundVolume", "TikTok music originalVolume", "TikTok music startMillis", "TikTok music endMillis", "TikTok is AI generated content"), []formColumn{
			{name: "LinkedIn Type", as: fieldExtra, on: "linkedin", words: feedOnly, loud: true},
			{name: "LinkedIn Poll Question", as: fieldExtra},
			{name: "LinkedIn Poll Option #", as: fieldExtra, count: 4},
		}, extra("LinkedIn Poll Duration"), []formColumn{
			{name: "LinkedIn Show link preview", as: fieldExtra, words: wishes{"true": "", "yes": ""}},
			{name: "LinkedIn Images as Carousel", as: fieldExtra},
			{name: "Threads Reply Control", as: fieldExtra, words: wishes{"everyone": "threads.replyControl:everyone", "accounts_you_follow": "threads.replyControl:accounts_you_follow", "mentioned_only": "threads.replyControl:mentioned_only"}},
			{name: "Threads Is Spoiler", as: fieldExtra},
			{name: "Threads Post Type", as: fieldExtra, on: "threads", words: feedOnly, loud: true},
			{name: "Brand name", as: fieldExtra, words: wishes{"*": ""}, unwritten: true},
		}),
		write: writing{date: "2006-01-02", clock: "15:04:05", list: ",", upper: true},
	},
	{
		tool: "hootsuite", name: "Hootsuite", kind: "without a header row",
		shape: []shape{aWhen, aText, anAddress}, least: 2,
		columns: []formColumn{
			{name: "Date", as: fieldWhen},
			{name: "Message", as: fieldContent},
			{name: "Link", as: fieldLink},
		},
		write: writing{date: slashes + " 15:04", blank: refused},
	},
	{
		tool: "hootsuite", name: "Hootsuite", kind: "with a header row",
		marks: []string{"date time message", "date message link imageurl", "date message link profile", "date time message socialprofile", "date time message link"},
		columns: []formColumn{
			{name: "Date", as: fieldDate},
			{name: "Time", as: fieldTime},
			{name: "Platform", also: "network socialnetwork", as: fieldPlatforms},
			{name: "Message", as: fieldContent},
			{name: "Link", as: fieldLink},
			{name: "Image URL", also: "mediaurl mediaurls imageurls", as: fieldMedia},
			{name: "Social Profile", also: "profile socialprofiles", as: fieldProfile},
		},
	},
	{
		tool: "buffer", name: "Buffer",
		marks: []string{"text imageurl tags postingtime", "text postingtime", "text imageurl scheduledat", "text scheduledat profile", "text scheduledat channel"},
		columns: []formColumn{
			{name: "Text", as: fieldContent},
			{name: "Image URL", as: fieldMedia},
			{name: "Tags", as: fieldLabels},
			{name: "Posting Time", also: "scheduledat", as: fieldWhen},
			{name: "Board Name", as: fieldExtra, unwritten: true},
			{name: "Channel", as: fieldProfile, also: "profile", unwritten: true},
		},
		write: writing{date: "2006-01-02 15:04", list: ",", labels: ",", blank: "in its queue"},
	},
	{
		tool: "buffer", name: "Buffer", kind: "as it exports",
		marks: []string{"date time profile text link"},
		columns: []formColumn{
			{name: "Date", as: fieldDate},
			{name: "Time", as: fieldTime},
			{name: "Profile", as: fieldProfile},
			{name: "Text", as: fieldContent},
			{name: "Link", as: fieldLink},
		},
	},
	{
		tool: "hootsuite", name: "Hootsuite", kind: "with a header row",
		marks: []string{"date time text socialprofile"},
		columns: []formColumn{
			{name: "Date", as: fieldDate},
			{name: "Time", as: fieldTime},
			{name: "Text", as: fieldContent},
			{name: "Social Profile", as: fieldProfile},
		},
	},
	{
		tool: "socialpilot", name: "SocialPilot", kind: "without a header row",
		shape: []shape{aText, anAddress, aWhen, anything, anything, anything, anything}, least: 3,
		columns: []formColumn{
			{name: "Content", as: fieldContent},
			{name: "Image URL", as: fieldMedia},
			{name: "Scheduled Date", as: fieldWhen},
			{name: "Account ID", as: fieldProfile},
			{name: "First Comment", as: fieldComment},
			{name: "Tags", as: fieldLabels},
			{name: "Link", as: fieldLink},
		},
		links: "|",
		write: writing{date: "Jan 2, 2006 3:04 PM", list: ",", labels: ";", blank: "in its queue", quoteAll: true},
	},
	{
		tool: "sprout", name: "Sprout Social",
		marks: []string{"date time24hr messagetext", "time24hr messagetext"},
		columns: []formColumn{
			{name: "date", as: fieldDate},
			{name: "time_24hr", as: fieldTime},
			{name: "message_text", as: fieldContent},
			{name: "link", also: "linkurl url", as: fieldLink},
			{name: "image", also: "imageurl imageurls media", as: fieldMedia},
		},
		write: writing{date: slashes, clock: "15:04", list: ",", blank: untold},
	},
	{
		tool: "sprout", name: "Sprout Social", kind: "as generators write it",
		marks: []string{"posttext scheduleddatetime network", "posttext scheduleddatetime profile"},
		columns: []formColumn{
			{name: "Post Text", as: fieldContent},
			{name: "Image URL", as: fieldMedia},
			{name: "Scheduled Date/Time", as: fieldWhen},
			{name: "Network", as: fieldPlatforms},
			{name: "Profile", as: fieldProfile},
		},
	},
	{
		tool: "gohighlevel", name: "GoHighLevel Social Planner", kind: "the basic file",
		marks: []string{"postatspecifictime content imageurls", "postatspecifictime content videourl"},
		columns: []formColumn{
			{name: "postAtSpecificTime (YYYY-MM-DD HH:mm:ss)", as: fieldWhen},
			{name: "content", also: "contenthashtags", as: fieldContent},
			{name: "link (OGmetaUrl)", also: "ogmetaurl", as: fieldLink},
			{name: "imageUrls", also: "imageurl", as: fieldMedia},
			{name: "gifUrl", also: "gifurls", as: fieldMedia},
			{name: "videoUrls", also: "videourl", as: fieldMedia},
		},
		order: orderMDY,
		write: writing{date: "2006-01-02 15:04:05", list: ", "},
	},
	{
		tool: "gohighlevel-advanced", name: "GoHighLevel Social Planner", kind: "the advanced file",
		groups: true,
		marks:  []string{"allsocial:postatspecifictime allsocial:content"},
		columns: columnsOf([]formColumn{
			{group: "All Social", name: "postAtSpecificTime (YYYY-MM-DD HH:mm:ss)", as: fieldWhen},
			{group: "All Social", name: "content", as: fieldContent},
			{group: "All Social", name: "OGmetaUrl (url)", as: fieldLink},
			{group: "All Social", name: "imageUrls (comma-separated)", as: fieldMedia},
			{group: "All Social", name: "gifUrl", as: fieldMedia},
			{group: "All Social", name: "videoUrls (comma-separated)", as: fieldMedia},
			{group: "All Social", name: "thumbnailUrl", as: fieldExtra},
			{group: "All Social", name: "mediaOptimization (true/false)", as: fieldExtra, words: wishes{"true": ""}},
			{group: "All Social", name: "applyWatermark (true/false)", as: fieldExtra},
			{group: "All Social", name: "tags (comma-separated)", as: fieldLabels},
			{group: "All Social", name: "category", as: fieldLabels, unwritten: true},
			{group: "All Social", name: "followUpComment", as: fieldComment},
			{group: "Facebook", name: "type (post/story/reel)", as: fieldExtra, on: "facebook", words: wishes{"post": "", "reel": ""}, loud: true},
			{group: "Instagram", name: "type (post/story/reel)", as: fieldExtra, on: "instagram", words: videoType, loud: true},
			{group: "LinkedIn", name: "pdfTitle", also: "title", as: fieldExtra},
			{group: "LinkedIn", name: "postAsPdf (true/false)", as: fieldExtra},
		}, grouped("Google (GBP)", "eventType", "title", "offerTitle", "startDate", "endDate", "termsConditions", "couponCode", "redeemOnlineUrl", "actionType", "url"), []formColumn{
			{group: "YouTube", name: "title", as: fieldExtra, words: videoTitle},
			{group: "YouTube", name: "privacyLevel (public/unlisted/private)", also: "privacy privacystatus", as: fieldExtra, on: "youtube", words: audience, loud: true},
			{group: "YouTube", name: "type (video/short)", as: fieldExtra, words: wishes{"video": "", "short": "", "shorts": ""}},
			{group: "TikTok", name: "privacyLevel", also: "privacy", as: fieldExtra, on: "tiktok", words: viewers, loud: true},
			{group: "TikTok", name: "promoteOtherBrand (true/false)", as: fieldExtra, words: allows("tiktok.brandedContent")},
			{group: "TikTok", name: "enableComment (true/false)", as: fieldExtra, words: allows("tiktok.allowComments")},
			{group: "TikTok", name: "enableDuet (true/false)", as: fieldExtra, words: allows("tiktok.allowDuet")},
			{group: "TikTok", name: "enableStitch (true/false)", as: fieldExtra, words: allows("tiktok.allowStitch")},
			{group: "TikTok", name: "videoDisclosure (true/false)", as: fieldExtra, words: allows("tiktok.commercialContent")},
			{group: "TikTok", name: "promoteYourBrand (true/false)", as: fieldExtra, words: allows("tiktok.brandOrganic")},
		}, grouped("Community", "title", "notifyAllGroupMembers (true/false)"), []formColumn{
			{group: "Pinterest", name: "title", as: fieldTitle},
			{group: "Pinterest", name: "link", also: "url", as: fieldExtra},
		}),
		order: orderMDY,
		write: writing{date: "2006-01-02 15:04:05", list: ", ", labels: ", "},
	},
	{
		tool: "ayrshare", name: "Ayrshare",
		marks: []string{"post platforms mediaurls scheduledate", "post platforms scheduledate"},
		columns: []formColumn{
			{name: "post", as: fieldContent},
			{name: "platforms", as: fieldPlatforms},
			{name: "mediaUrls", as: fieldMedia},
			{name: "scheduleDate", as: fieldWhen},
		},
		write: writing{date: "2006-01-02T15:04:05Z", utc: true, list: ",", blank: "at once"},
	},
	{
		tool: "vistasocial", name: "Vista Social",
		marks: []string{"message type link time"},
		columns: columnsOf([]formColumn{
			{name: "message", as: fieldContent},
			{name: "type", as: fieldKind, kinds: mediaKinds{"image", "video", "article", "message"}},
			{name: "link", as: fieldEither},
			{name: "time", as: fieldWhen},
			{name: "comment#", as: fieldComment, count: 5},
		}, extra("comments_enabled", "like"), []formColumn{
			{name: "title", as: fieldTitle},
			{name: "description", as: fieldExtra, loud: true},
			{name: "instagram_publish_as", as: fieldExtra, on: "instagram", words: videoType, loud: true},
		}, extra("share_to_feed"), []formColumn{
			{name: "facebook_publish_as", as: fieldExtra, on: "facebook", words: feedOnly, loud: true},
		}, extra("board", "section", "subreddit")),
		write: writing{date: "2006-01-02 15:04", blank: "in its queue"},
	},
	{
		tool: "socialbee", name: "SocialBee",
		marks: []string{"text imageurls postatspecifictime", "text link postatspecifictime"},
		columns: []formColumn{
			{name: "text", as: fieldContent},
			{name: "link", as: fieldLink},
			{name: "imageUrls", also: "imageurl", as: fieldMedia},
			{name: "gifUrls", also: "gifurl", as: fieldMedia},
			{name: "videoUrls", also: "videourl", as: fieldMedia},
			{name: "postAtSpecificTime", as: fieldWhen},
		},
		write: writing{date: "2006-01-02T15:04:05-07:00", list: ",", blank: "as its category is scheduled"},
	},
	{
		tool: "feedhive", name: "FeedHive",
		marks: []string{"text mediaurls labels scheduled", "text title mediaurls scheduled", "text socialmedias scheduled"},
		columns: []formColumn{
			{name: "Text", as: fieldContent},
			{name: "Title", as: fieldTitle},
			{name: "Media URLs", also: "mediaurl", as: fieldMedia},
			{name: "Labels", as: fieldLabels},
			{name: "Social Medias", as: fieldPlatforms},
			{name: "Scheduled", as: fieldWhen},
			{name: "Notes", as: fieldIgnored},
		},
		write: writing{date: "2006-01-02T15:04:05.000Z", utc: true, list: ",", labels: ",", blank: untold},
	},
	{
		tool: "pinterest", name: "Pinterest", platform: "pinterest",
		marks: []string{"title mediaurl pinterestboard description publishdate", "title mediaurl pinterestboard publishdate"},
		columns: []formColumn{
			{name: "Title", as: fieldTitle},
			{name: "Media URL", as: fieldMedia},
			{name: "Pinterest board", as: fieldExtra},
			{name: "Thumbnail", as: fieldExtra},
			{name: "Description", as: fieldContent},
			{name: "Link", as: fieldLink},
			{name: "Publish date", as: fieldWhen},
			{name: "Keywords", as: fieldLabels},
		},
		write: writing{date: "2006-01-02T15:04:05", list: ",", labels: ", ", blank: "at once"},
	},
	{
		tool: "postfast", name: "PostFast",
		marks: []string{"scheduledat accountid content"},
		columns: []formColumn{
			{name: "scheduled_at", as: fieldWhen},
			{name: "account_id", as: fieldProfile},
			{name: "content", as: fieldContent},
			{name: "media_urls", also: "mediaurl", as: fieldMedia},
			{name: "first_comment", as: fieldComment},
			{name: "fb_content_type", as: fieldExtra, on: "facebook", words: wishes{"post": "", "reel": ""}, loud: true},
			{name: "ig_publish_type", as: fieldExtra, on: "instagram", words: wishes{"timeline": "", "post": "", "reel": "instagram.videoType:REELS", "story": "instagram.videoType:STORIES"}, loud: true},
			{name: "yt_is_short", as: fieldExtra, words: wishes{"true": "", "yes": ""}},
			{name: "pinterest_board_id", as: fieldExtra},
		},
		write: writing{date: "2006-01-02T15:04:05-07:00", list: ",", upper: true, blank: untold},
	},
	{
		tool: "schedulin", name: "Schedulin",
		marks: []string{"channel caption"},
		columns: []formColumn{
			{name: "channel", as: fieldPlatforms},
			{name: "caption", as: fieldContent},
			{name: "media_url", also: "mediaurls", as: fieldMedia},
			{name: "scheduled_at", as: fieldWhen},
			{name: "placement", as: fieldExtra, words: videoType, loud: true},
		},
		write: writing{date: "2006-01-02T15:04:05-07:00", list: ",", blank: "in its queue"},
	},
	{
		tool: "socialcal", name: "SocialCal",
		marks: []string{"content platforms scheduletime", "content scheduletime"},
		columns: []formColumn{
			{name: "content", also: "postcontent", as: fieldContent},
			{name: "platforms", also: "platform", as: fieldPlatforms},
			{name: "schedule_time", as: fieldWhen},
		},
		write: writing{date: "2006-01-02T15:04", list: "|", blank: untold},
	},
	{
		tool: "socialpatra", name: "SocialPatra",
		marks: []string{"content platforms platformids"},
		columns: []formColumn{
			{name: "content", as: fieldContent},
			{name: "platforms", as: fieldPlatforms},
			{name: "platformIds", as: fieldProfile},
			{name: "scheduledAt", as: fieldWhen},
			{name: "mediaUrls", as: fieldMedia},
			{name: "tags", as: fieldLabels},
			{name: "title", as: fieldTitle},
			{name: "postType", as: fieldExtra, words: videoType, loud: true},
		},
		write: writing{date: "2006-01-02T15:04:05-07:00", list: ",", labels: ",", blank: untold},
	},
	{
		tool: "magicsync", name: "MagicSync",
		marks: []string{"content imageurl scheduledtime comments"},
		columns: []formColumn{
			{name: "content", as: fieldContent},
			{name: "image_url", as: fieldMedia},
			{name: "scheduled_time", as: fieldWhen},
			{name: "comments", as: fieldComment},
		},
		comments: ";",
		write:    writing{date: "2006-01-02T15:04:05-07:00", list: ",", blank: untold},
	},
	{
		tool: "brightbean", name: "BrightBean",
		marks: []string{"date time platforms caption"},
		columns: []formColumn{
			{name: "date", as: fieldDate},
			{name: "time", as: fieldTime},
			{name: "platforms", also: "platform", as: fieldPlatforms},
			{name: "caption", as: fieldContent},
			{name: "media_url", also: "mediaurls", as: fieldMedia},
			{name: "category", as: fieldLabels, unwritten: true},
			{name: "tags", as: fieldLabels},
			{name: "first_comment", as: fieldComment},
		},
		write: writing{date: "2006-01-02", clock: "15:04", list: ",", labels: ",", blank: untold},
	},
	{
		tool: "postcron", name: "Postcron", kind: "without a header row",
		shape: []shape{aText, aYear, aMonth, aDay, anHour, aMinute, anAddress, anAddress}, least: 6,
		columns: []formColumn{
			{name: "Text", as: fieldContent},
			{name: "Year", as: fieldYear},
			{name: "Month", as: fieldMonth},
			{name: "Day", as: fieldDay},
			{name: "Hour", as: fieldHour},
			{name: "Minute", as: fieldMinute},
			{name: "Image URL", as: fieldMedia},
			{name: "Link URL", as: fieldLink},
		},
		write: writing{date: inParts, list: ",", blank: refused},
	},
	{
		tool: "friendsplusme", name: "Friends+Me", kind: "without a header row", delim: ';',
		shape: []shape{aDay, aMonth, aYear, anHour, aMinute, aText, aMediaKind, anAddress}, least: 6,
		columns: []formColumn{
			{name: "Day", as: fieldDay},
			{name: "Month", as: fieldMonth},
			{name: "Year", as: fieldYear},
			{name: "Hour", as: fieldHour},
			{name: "Minute", as: fieldMinute},
			{name: "Text", as: fieldContent},
			{name: "Kind", as: fieldKind, kinds: mediaKinds{"photo", "photo", "link", ""}},
			{name: "URL", as: fieldEither},
		},
		write: writing{date: inParts, list: ",", blank: refused},
	},
	{
		tool: "inssist", name: "Inssist", platform: "instagram",
		marks: []string{"date caption image"},
		columns: []formColumn{
			{name: "Date", as: fieldWhen},
			{name: "Caption", as: fieldContent},
			{name: "Image", also: "images", as: fieldMedia, repeat: 3},
		},
		order: orderDMY, relative: true,
		write: writing{date: "02/01/2006 15:04", list: ",", blank: untold},
	},
	{
		tool: "google-calendar", name: "Google Calendar",
		marks: []string{"subject startdate"},
		columns: columnsOf([]formColumn{
			{name: "Subject", as: fieldTitle},
			{name: "Start Date", as: fieldDate},
			{name: "Start Time", as: fieldTime},
			{name: "End Date", as: fieldIgnored},
			{name: "End Time", as: fieldIgnored},
			{name: "All Day Event", as: fieldAllDay},
			{name: "Description", as: fieldContent},
			{name: "Location", as: fieldIgnored},
			{name: "Private", as: fieldPrivate},
		}),
		order: orderMDY, titleText: true,
		write: writing{date: slashes, clock: "03:04 PM", blank: refused},
	},
	{
		tool: "outlook", name: "Outlook",
		marks: []string{"subject startdate remindertime", "subject startdate meetingorganizer", "subject startdate showtimeas"},
		columns: columnsOf([]formColumn{
			{name: "Subject", also: "betreff", as: fieldTitle},
			{name: "Start Date", also: "beginntam", as: fieldDate},
			{name: "Start Time", also: "beginntum", as: fieldTime},
			{name: "End Date", also: "endetam", as: fieldIgnored},
			{name: "End Time", also: "endetum", as: fieldIgnored},
			{name: "All day event", also: "ganztägigesereignis", as: fieldAllDay},
			{name: "Reminder on/off", also: "erinnerungeinaus", as: fieldIgnored},
			{name: "Reminder Date", also: "erinnerungam", as: fieldIgnored},
			{name: "Reminder Time", also: "erinnerungum", as: fieldIgnored},
			{name: "Meeting Organizer", also: "besprechungsplanung", as: fieldIgnored},
			{name: "Required Attendees", also: "erforderlicheteilnehmer", as: fieldGuests},
			{name: "Optional Attendees", also: "optionaleteilnehmer", as: fieldGuests},
			{name: "Meeting Resources", also: "besprechungsressourcen", as: fieldIgnored},
			{name: "Billing Information", also: "abrechnungsinformationen", as: fieldIgnored},
			{name: "Categories", also: "kategorien", as: fieldCategories},
			{name: "Description", also: "beschreibung", as: fieldContent},
			{name: "Location", also: "ort", as: fieldIgnored},
			{name: "Mileage", also: "reisekilometer", as: fieldIgnored},
			{name: "Priority", also: "priorität", as: fieldIgnored},
			{name: "Private", also: "privat", as: fieldPrivate},
			{name: "Sensitivity", also: "vertraulichkeit", as: fieldIgnored},
			{name: "Show time as", also: "zeitspannezeigenals", as: fieldIgnored},
		}),
		titleText: true,
		write:     writing{date: slashes, clock: "3:04:05 PM", list: ";", quoteAll: true, blank: refused},
	},
}

// grouped are columns of a group that hold what no field of a post does.
func grouped(group string, names ...string) []formColumn {
	out := extra(names...)
	for i := range out {
		out[i].group = group
	}
	return out
}

// elsewhere are networks that other tools post to and postroom does not, by the
// words that their files have for them.
var elsewhere = map[string]string{
	"gbp": "Google Business Profile", "gmb": "Google Business Profile", "google": "Google Business Profile", "google business": "Google Business Profile",
	"google business profile": "Google Business Profile", "google my business": "Google Business Profile", "googlebusiness": "Google Business Profile",
	"reddit": "Reddit", "snapchat": "Snapchat", "tumblr": "Tumblr", "xing": "Xing", "vk": "VK", "whatsapp": "WhatsApp",
}

// implied is the platform of files of a tool that knows only one.
func (f *File) implied() post.Platform {
	if f.form == nil {
		return ""
	}
	return f.form.platform
}
